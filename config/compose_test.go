package config

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// readYAML reads a file of the project.
func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// composed is what is read of docker-compose.yml.
type composed struct {
	Services map[string]struct {
		Ports       []string
		Environment map[string]string
		Secrets     []string
		Volumes     []string
		DependsOn   []string `yaml:"depends_on"`
	}
	Secrets map[string]struct{ Environment string }
	Volumes map[string]any
}

// mounted is where a service sees a file of the project.
func (c *composed) mounted(t *testing.T, service, file string) string {
	for _, v := range c.Services[service].Volumes {
		if from, to, _ := strings.Cut(v, ":"); from == "./"+file {
			return strings.TrimSuffix(to, ":ro")
		}
	}
	t.Errorf("%s doesn't see %s", service, file)
	return ""
}

func portOf(t *testing.T, address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Errorf("%s: %v", address, err)
	}
	return port
}

// What docker-compose.yml starts fits together: files are there, ports and settings are
// those of sluice, Prometheus finds it and may ask it, and Grafana finds Prometheus and
// shows the dashboard of what is in it.
func TestCompose(t *testing.T) {
	var c composed
	readYAML(t, "docker-compose.yml", &c)
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, named := c.Volumes[from]; named {
				continue
			}
			if _, err := os.Stat("../" + from); err != nil || !strings.HasPrefix(from, "./") || !strings.HasSuffix(v, ":ro") {
				t.Errorf("%s: %s: %v", name, v, err)
			}
		}
		for _, other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s", name, other)
			}
		}
	}

	// sluice takes its settings, and its ports are those that are published.
	sluice := c.Services["sluice"]
	var environ []string
	for name, value := range sluice.Environment {
		if strings.HasPrefix(value, "${") {
			value = "0123456789abcdef0123456789abcdef"
		}
		environ = append(environ, name+"="+value)
	}
	at(t)
	conf, _, err := load(nil, environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{conf.RTMP.Addr, conf.HTTP.Addr, conf.Admin.Addr} {
		if port := portOf(t, address); !slices.ContainsFunc(sluice.Ports, func(p string) bool { return strings.HasSuffix(p, ":"+port) }) {
			t.Errorf("port %s isn't published", port)
		}
	}
	for _, p := range sluice.Ports {
		if strings.HasSuffix(p, portOf(t, conf.Admin.Addr)) && !strings.HasPrefix(p, "127.0.0.1:") {
			t.Errorf("operators' port is for all: %s", p)
		}
	}
}

func TestComposePrometheus(t *testing.T) {
	var c composed
	readYAML(t, "docker-compose.yml", &c)
	var p struct {
		RuleFiles []string `yaml:"rule_files"`
		Jobs      []struct {
			Name          string `yaml:"job_name"`
			Authorization struct {
				File string `yaml:"credentials_file"`
			}
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "packaging/prometheus/prometheus.yml", &p)
	folder := path.Dir(c.mounted(t, "prometheus", "packaging/prometheus/prometheus.yml"))
	if want := path.Join(folder, p.RuleFiles[0]); c.mounted(t, "prometheus", "packaging/prometheus/alerts.yml") != want {
		t.Errorf("the rules aren't at %s", want)
	}
	job, admin := p.Jobs[0], c.Services["sluice"].Environment["SLUICE_ADMIN_ADDR"]
	if target := job.Static[0].Targets[0]; target != "sluice:"+portOf(t, admin) {
		t.Errorf("it asks %s", target)
	}
	secret, ok := strings.CutPrefix(job.Authorization.File, "/run/secrets/")
	if !ok || !slices.Contains(c.Services["prometheus"].Secrets, secret) || !strings.HasPrefix(c.Services["sluice"].Environment["SLUICE_ADMIN_TOKEN"], "${"+c.Secrets[secret].Environment+":?") {
		t.Errorf("it has not the token: %q", secret)
	}
	rules, err := os.ReadFile("../packaging/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`job="(\w+)"`).FindAllStringSubmatch(string(rules), -1) {
		if m[1] != job.Name {
			t.Errorf("rules are on %s, the job is %s", m[1], job.Name)
		}
	}
}

func TestComposeGrafana(t *testing.T) {
	var c composed
	readYAML(t, "docker-compose.yml", &c)
	var sources struct {
		Datasources []struct {
			UID, Type, URL string
			IsDefault      bool `yaml:"isDefault"`
		}
	}
	readYAML(t, "packaging/grafana/provisioning/datasources/prometheus.yml", &sources)
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "packaging/grafana/provisioning/dashboards/sluice.yml", &providers)
	if to := c.mounted(t, "grafana", "packaging/grafana/provisioning"); to != "/etc/grafana/provisioning" {
		t.Errorf("provisioning is at %s", to)
	}
	file := c.mounted(t, "grafana", "packaging/grafana/sluice.json")
	if path.Dir(file) != providers.Providers[0].Options.Path || c.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] != file {
		t.Errorf("the dashboard is at %s", file)
	}
	source := sources.Datasources[0]
	ports := c.Services["prometheus"].Ports
	if host, port, _ := strings.Cut(strings.TrimPrefix(source.URL, "http://"), ":"); host != "prometheus" || !strings.HasSuffix(ports[0], ":"+port) || !source.IsDefault {
		t.Errorf("Grafana asks %s", source.URL)
	}
	text, err := os.ReadFile("../packaging/grafana/sluice.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{} // those that stand for a source, and of which type
	for _, v := range board.Templating.List {
		if q, ok := v.Query.(string); ok && v.Type == "datasource" {
			variables["${"+v.Name+"}"] = q
		}
	}
	used := regexp.MustCompile(`"type": "(\w+)",\s*"uid": "([^"]+)"`).FindAllSubmatch(text, -1)
	for _, m := range used {
		if uid, kind := string(m[2]), string(m[1]); kind != source.Type || uid != source.UID && variables[uid] != source.Type {
			t.Errorf("a panel asks %s %s", kind, uid)
		}
	}
	if len(used) < 8 {
		t.Errorf("%d panels", len(used))
	}
}
