package actions

// Routed are the actions that paths of REST services lead to.
func Routed() map[string][]string {
	routed := map[string][]string{}
	for service, routes := range map[string][]route{"lambda": lambdaRoutes, "scheduler": schedulerRoutes} {
		for _, r := range routes {
			routed[service] = append(routed[service], r.action)
		}
	}
	for _, of := range []map[string]string{ofBucket, ofObject} {
		for _, action := range of {
			routed["s3"] = append(routed["s3"], action)
		}
	}
	return routed
}
