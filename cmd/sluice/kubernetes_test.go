package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-live/sluice/config"
)

// manifest is what is looked at of a document for Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Replicas int
		Selector any
		Ports    []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct{ Containers []container }
		}
	}
}

type container struct {
	Args []string
	Env  []struct {
		Name      string
		ValueFrom struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	Readiness probed `yaml:"readinessProbe"`
	Liveness  probed `yaml:"livenessProbe"`
}

type probed struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

// What packaging/kubernetes says of sluice is so: configuration, ports, probes and the secret.
func TestKubernetes(t *testing.T) {
	kinds := make(map[string]manifest)
	for d := yaml.NewDecoder(strings.NewReader(read(t, "packaging/kubernetes/sluice.yaml"))); ; {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds[m.Kind] = m
	}
	deployment, service, data := kinds["Deployment"].Spec, kinds["Service"].Spec, kinds["ConfigMap"].Data
	if len(deployment.Template.Spec.Containers) != 1 {
		t.Fatal("a Deployment of one container is not there")
	}
	c := deployment.Template.Spec.Containers[0]
	if deployment.Replicas != 1 {
		t.Errorf("%d replicas", deployment.Replicas)
	}

	environ := []string{c.Env[0].Name + "=0123456789abcdef0123456789abcdef"}
	file := filepath.Join(t.TempDir(), filepath.Base(c.Args[1]))
	if err := os.WriteFile(file, []byte(data[filepath.Base(file)]), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := config.Load([]string{c.Args[0], file}, environ)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if len(cfg.Publish.Keys) == 0 {
		t.Error("everybody may publish who comes by a balancer")
	}

	ports := map[string]string{"rtmp": cfg.RTMP.Addr, "http": cfg.HTTP.Addr, "admin": cfg.Admin.Addr}
	for _, p := range c.Ports {
		if want := ports[p.Name]; want != ":"+strconv.Itoa(p.ContainerPort) {
			t.Errorf("port %s is %d, and sluice listens at %s", p.Name, p.ContainerPort, want)
		}
	}
	for _, p := range service.Ports {
		if want := ports[p.TargetPort]; want != ":"+strconv.Itoa(p.Port) || p.TargetPort == "admin" {
			t.Errorf("the service has port %d for %s, where sluice listens at %s", p.Port, p.TargetPort, want)
		}
	}
	api := read(t, "docs/api.md")
	for _, p := range []probed{c.Readiness, c.Liveness} {
		if p.HTTPGet.Port != "admin" || !strings.Contains(api, "### GET "+p.HTTPGet.Path+"\n") {
			t.Errorf("a probe asks for %s at port %s", p.HTTPGet.Path, p.HTTPGet.Port)
		}
	}
	secret := c.Env[0].ValueFrom.SecretKeyRef
	if want := "create secret generic " + secret.Name + " --from-literal=" + secret.Key + "="; !strings.Contains(read(t, "docs/proxies.md"), want) {
		t.Errorf("docs/proxies.md doesn't say %q", want)
	}
}
