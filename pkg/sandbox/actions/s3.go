package actions

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// What a subresource in the query of an S3 request makes of it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var (
	ofBucket = map[string]string{
		"GET":                   "ListBucket",
		"HEAD":                  "ListBucket",
		"PUT":                   "CreateBucket",
		"DELETE":                "DeleteBucket",
		"GET location":          "GetBucketLocation",
		"GET versions":          "ListBucketVersions",
		"GET uploads":           "ListBucketMultipartUploads",
		"GET policy":            "GetBucketPolicy",
		"PUT policy":            "PutBucketPolicy",
		"DELETE policy":         "DeleteBucketPolicy",
		"GET versioning":        "GetBucketVersioning",
		"PUT versioning":        "PutBucketVersioning",
		"GET encryption":        "GetEncryptionConfiguration",
		"PUT encryption":        "PutEncryptionConfiguration",
		"DELETE encryption":     "PutEncryptionConfiguration",
		"GET tagging":           "GetBucketTagging",
		"PUT tagging":           "PutBucketTagging",
		"DELETE tagging":        "PutBucketTagging",
		"GET publicAccessBlock": "GetBucketPublicAccessBlock",
		"PUT publicAccessBlock": "PutBucketPublicAccessBlock",
		"GET ownershipControls": "GetBucketOwnershipControls",
		"PUT ownershipControls": "PutBucketOwnershipControls",
		"GET lifecycle":         "GetLifecycleConfiguration",
		"PUT lifecycle":         "PutLifecycleConfiguration",
		"GET notification":      "GetBucketNotification",
		"PUT notification":      "PutBucketNotification",
		"GET acl":               "GetBucketAcl",
		"PUT acl":               "PutBucketAcl",
		"GET logging":           "GetBucketLogging",
		"PUT logging":           "PutBucketLogging",
		"GET cors":              "GetBucketCORS",
		"GET object-lock":       "GetBucketObjectLockConfiguration",
		"GET requestPayment":    "GetBucketRequestPayment",
		"GET website":           "GetBucketWebsite",
		"GET accelerate":        "GetAccelerateConfiguration",
		"GET replication":       "GetReplicationConfiguration",
		"GET policyStatus":      "GetBucketPolicyStatus",
	}
	ofObject = map[string]string{
		"GET":              "GetObject",
		"HEAD":             "GetObject",
		"PUT":              "PutObject",
		"DELETE":           "DeleteObject",
		"GET versionId":    "GetObjectVersion",
		"HEAD versionId":   "GetObjectVersion",
		"DELETE versionId": "DeleteObjectVersion",
		"GET tagging":      "GetObjectTagging",
		"PUT tagging":      "PutObjectTagging",
		"DELETE tagging":   "DeleteObjectTagging",
		"GET acl":          "GetObjectAcl",
		"PUT acl":          "PutObjectAcl",
		"POST uploads":     "PutObject",
		"PUT uploadId":     "PutObject",
		"POST uploadId":    "PutObject",
		"GET uploadId":     "ListMultipartUploadParts",
		"DELETE uploadId":  "AbortMultipartUpload",
	}
	// Parameters that change nothing of what is asked for.
	besides = map[string]bool{
		"list-type": true, "prefix": true, "delimiter": true, "max-keys": true, "marker": true, "start-after": true,
		"continuation-token": true, "encoding-type": true, "fetch-owner": true, "partNumber": true, "x-id": true,
		"max-parts": true, "part-number-marker": true, "max-uploads": true, "key-marker": true, "version-id-marker": true,
		"upload-id-marker": true, "max-buckets": true,
	}
)

// s3 knows requests in path style. To delete several objects at once is asked for
// on all of the bucket, and tags or an ACL that come with an object for the object
// alone.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func s3(c *call) ([]Permission, error) {
	bucket, key, inBucket := strings.Cut(strings.TrimPrefix(c.HTTP.URL.Path, "/"), "/")
	of, resource := ofBucket, "arn:aws:s3:::"+bucket
	if inBucket && key != "" {
		of, resource = ofObject, resource+"/"+key
	}
	asked, ok := of[strings.Join(append([]string{c.HTTP.Method}, subresources(c.query)...), " ")]
	switch {
	case !c.rest || !pathStyle(c.HTTP.Host):
		return unknown(c)
	case bucket == "" && c.HTTP.Method == http.MethodGet:
		return []Permission{c.ask("ListAllMyBuckets", "*")}, nil
	case c.HTTP.Method == http.MethodPost && c.query.Has("delete") && key == "":
		return []Permission{c.ask("DeleteObject", resource+"/*")}, nil
	case !ok:
		return unknown(c)
	}
	permissions := []Permission{c.ask(asked, resource)}
	if source := c.HTTP.Header.Get("X-Amz-Copy-Source"); source != "" {
		from, err := url.PathUnescape(strings.TrimPrefix(source, "/"))
		if err != nil {
			return nil, &UnreadableError{"The copy source is malformed: " + err.Error()}
		}
		from, _, _ = strings.Cut(from, "?")
		permissions = append(permissions, c.ask("GetObject", "arn:aws:s3:::"+from))
	}
	return permissions, nil
}

func subresources(query url.Values) []string {
	var found []string
	for name := range query {
		if !besides[name] {
			found = append(found, name)
		}
	}
	return found
}

// pathStyle says that the host is no bucket's.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func pathStyle(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}
