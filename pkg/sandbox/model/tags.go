package model

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_TagResource.html
const tagsPerResource = 50

// TagResource adds tags to a gateway of the caller's account, or gives them new
// values. Errors: Validation, ResourceNotFound, AccessDenied,
// ServiceQuotaExceeded.
func (s *Service) TagResource(by Caller, arn string, tags map[string]string) error {
	gatewayARN, err := s.tag(by, arn, tags)
	s.report(by, Change{
		Event:   "TagResource",
		Gateway: gatewayARN,
		Request: map[string]any{"resourceArn": arn, "tags": tags},
	}, err)
	return err
}

func (s *Service) tag(by Caller, arn string, tags map[string]string) (string, error) {
	var v violations
	v.taggable(arn)
	v.tags("tags", tags)
	if tags == nil {
		v.add("tags", "null", "Member must not be null")
	}
	if err := v.err(); err != nil {
		return "", err
	}
	s.lock()
	defer s.mu.Unlock()
	g, err := s.named(by, arn)
	if err != nil {
		return "", err
	}
	merged := maps.Clone(g.tags)
	maps.Copy(merged, tags)
	if len(merged) > tagsPerResource {
		return "", refuse(ServiceQuotaExceeded, "Resource %s cannot have more than %d tags", arn, tagsPerResource)
	}
	g.tags = merged
	return g.ARN, nil
}

// UntagResource takes tags off a gateway of the caller's account; keys that it
// has not are passed over. Errors: Validation, ResourceNotFound, AccessDenied.
func (s *Service) UntagResource(by Caller, arn string, keys []string) error {
	gatewayARN, err := s.untag(by, arn, keys)
	s.report(by, Change{
		Event:   "UntagResource",
		Gateway: gatewayARN,
		Request: map[string]any{"resourceArn": arn, "tagKeys": keys},
	}, err)
	return err
}

func (s *Service) untag(by Caller, arn string, keys []string) (string, error) {
	var v violations
	v.taggable(arn)
	for _, key := range keys {
		v.tagKey("tagKeys", key)
	}
	if len(keys) > 200 {
		v.add("tagKeys", strconv.Itoa(len(keys)), "Member must have length less than or equal to 200")
	}
	if err := v.err(); err != nil {
		return "", err
	}
	s.lock()
	defer s.mu.Unlock()
	g, err := s.named(by, arn)
	if err != nil {
		return "", err
	}
	maps.DeleteFunc(g.tags, func(key, _ string) bool { return slices.Contains(keys, key) })
	return g.ARN, nil
}

// ListTagsForResource reads the tags of a gateway of the caller's account.
// Errors: Validation, ResourceNotFound, AccessDenied.
func (s *Service) ListTagsForResource(by Caller, arn string) (map[string]string, error) {
	var v violations
	v.taggable(arn)
	if err := v.err(); err != nil {
		return nil, err
	}
	s.lock()
	defer s.mu.Unlock()
	g, err := s.named(by, arn)
	if err != nil {
		return nil, err
	}
	return maps.Clone(g.tags), nil
}

// Tags are those of the gateway with that ARN, in any account, for the caller that
// fills in aws:ResourceTag; nil if there is no such gateway.
func (s *Service) Tags(gatewayARN string) map[string]string {
	s.lock()
	defer s.mu.Unlock()
	g := s.byARN(gatewayARN)
	if g == nil {
		return nil
	}
	return maps.Clone(g.tags)
}

func (v *violations) taggable(arn string) {
	v.length("resourceArn", arn, 20, 1011)
	v.pattern("resourceArn", arn, taggablePattern)
}

func (v *violations) tags(name string, tags map[string]string) {
	if len(tags) > tagsPerResource {
		v.add(name, strconv.Itoa(len(tags)), fmt.Sprintf("Member must have length less than or equal to %d", tagsPerResource))
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		v.tagKey(name, key)
		v.length(name+"."+key, tags[key], 0, 256)
		v.pattern(name+"."+key, tags[key], tagPattern)
	}
}

func (v *violations) tagKey(name, key string) {
	v.length(name, key, 1, 128)
	v.pattern(name, key, tagPattern)
}
