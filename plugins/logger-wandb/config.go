package main

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/sdk/config"
)

// settings is the plugin's block.
type settings struct {
	Project string   `config:"project"`
	Entity  string   `config:"entity"`
	Name    string   `config:"name"`
	Group   string   `config:"group"`
	JobType string   `config:"job_type"`
	Tags    []string `config:"tags"`
	Notes   string   `config:"notes"`
	Dir     string   `config:"dir"`
	Mode    string   `config:"mode"`
	APIKey  string   `config:"api_key"` // for the online mode; offline needs none
}

// The modes.
const (
	offlineMode  = "offline"
	disabledMode = "disabled"
	onlineMode   = "online"
)

const defaultProject = "hone"

func schema() config.Schema {
	text := config.Of(config.String)
	return config.Schema{Attributes: []config.Attribute{
		{Name: "project", Type: text, Default: defaultProject, Doc: "W&B project that the run belongs to."},
		{Name: "entity", Type: text, Doc: "W&B user or team that the project belongs to; by default the one that uploads."},
		{Name: "name", Type: text, Doc: "Name of the run on W&B's pages; by default the run's own."},
		{Name: "group", Type: text, Doc: "Group of runs that the run belongs to."},
		{Name: "job_type", Type: text, Doc: "What kind of job the run is within its group, such as train."},
		{Name: "tags", Type: config.ListOf(config.String), Doc: "Tags of the run, of at most 64 characters each."},
		{Name: "notes", Type: text, Doc: "A longer description of the run, in Markdown."},
		{Name: "dir", Type: text, Path: true, Doc: "Folder below which the folder wandb is made; by default the run's."},
		{
			Name: "mode", Type: text, Default: offlineMode, OneOf: []string{offlineMode, disabledMode, onlineMode},
			Doc: "offline writes a folder for wandb sync, disabled writes nothing; online is not there yet.",
		},
		{Name: "api_key", Type: text, Sensitive: true, Doc: "W&B's key, for the online mode; offline needs none."},
	}}
}

// decode reads the block and checks what W&B would refuse at an upload.
func decode(values map[string]any) (settings, error) {
	s := settings{Project: defaultProject, Mode: offlineMode}
	if err := config.Decode(values, &s); err != nil {
		return s, err
	}
	var diags config.Diagnostics
	refuse := func(summary, detail string, path ...string) {
		diags = append(diags, config.Diagnostic{Path: path, Summary: summary, Detail: detail})
	}
	switch s.Mode {
	case offlineMode, disabledMode:
	case onlineMode:
		refuse("mode \"online\" is not there yet",
			"use mode = \"offline\", the default, and upload the run with wandb sync DIR, while it runs or later; hone prints the DIR", "mode")
	default:
		refuse("there is no mode \""+s.Mode+"\"", "modes are \"offline\" and \"disabled\"", "mode")
	}
	switch {
	case s.Project == "":
		refuse("the project has no name", "leave it out for the project \""+defaultProject+"\"", "project")
	case utf8.RuneCountInString(s.Project) > 128:
		refuse("the project's name has more than 128 characters", "W&B would refuse it", "project")
	case strings.ContainsAny(s.Project, `/\#?%:`):
		refuse("the project's name has one of the characters / \\ # ? % :", "W&B would refuse it; a team goes to entity", "project")
	}
	if strings.Contains(s.Entity, "/") {
		refuse("the entity has a slash", "it is a user or a team; the project goes to project", "entity")
	}
	for i, tag := range s.Tags {
		if n := utf8.RuneCountInString(tag); n < 1 || n > 64 {
			refuse("a tag must have 1 to 64 characters", "", "tags", strconv.Itoa(i))
		}
	}
	return s, diags.Err()
}
