package actions

var schedulerRoutes = []route{
	{"GET", "/schedules", "ListSchedules", everything},
	{"GET", "/schedules/{name}", "GetSchedule", schedule},
	{"POST", "/schedules/{name}", "CreateSchedule", schedule},
	{"PUT", "/schedules/{name}", "UpdateSchedule", schedule},
	{"DELETE", "/schedules/{name}", "DeleteSchedule", schedule},
	{"GET", "/schedule-groups", "ListScheduleGroups", everything},
	{"GET", "/schedule-groups/{name}", "GetScheduleGroup", scheduleGroup},
	{"POST", "/schedule-groups/{name}", "CreateScheduleGroup", scheduleGroup},
	{"DELETE", "/schedule-groups/{name}", "DeleteScheduleGroup", scheduleGroup},
	{"GET", "/tags/{arn...}", "ListTagsForResource", arnInPath},
	{"POST", "/tags/{arn...}", "TagResource", arnInPath},
	{"DELETE", "/tags/{arn...}", "UntagResource", arnInPath},
}

// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
func scheduler(c *call) ([]Permission, error) {
	return c.routed(schedulerRoutes, c.HTTP.URL.Path)
}

// schedule is in the group that the URL of reads, and the body of writes, names.
func schedule(c *call, path map[string]string) string {
	group := c.query.Get("groupName")
	if group == "" {
		group = c.params.text("GroupName")
	}
	if group == "" {
		group = "default"
	}
	return c.arn(path["name"], "schedule/"+group+"/")
}

func scheduleGroup(c *call, path map[string]string) string {
	return c.arn(path["name"], "schedule-group/")
}

func arnInPath(_ *call, path map[string]string) string { return path["arn"] }
