package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSamplesAreFound searches over AuthZEN for each part of each shipped request:
// it is found where the request is allowed, and only there.
func TestSamplesAreFound(t *testing.T) {
	s := startDemo(t)
	for _, tenant := range demoTenants {
		samples, err := sampleRequests(tenant)
		if err != nil {
			t.Fatal(err)
		}
		if testing.Short() { // one client, one after another
			samples = samples[:4]
		}
		base := fmt.Sprintf("http://%s/tenants/%s/access/v1/search/", s.httpListener.Addr(), tenant)
		for _, sample := range samples {
			t.Run(sample.Scenario+" "+sample.Title, func(t *testing.T) {
				for part, id := range map[string]string{
					"subject": sample.Request.Subject.ID, "resource": sample.Request.Resource.ID, "action": sample.Request.Action.Name,
				} {
					if part == "action" && len(sample.Request.Action.Properties) > 0 {
						continue // a search for actions has no properties of an action
					}
					found := sample.search(t, base+part)
					if slices.Contains(found, id) != sample.Allowed {
						t.Errorf("the %s %s is found = %v, want %v: %q", part, id, !sample.Allowed, sample.Allowed, found)
					}
				}
			})
		}
	}
}

// search asks for all pages of a search, and returns what is found.
func (s sample) search(t *testing.T, url string) (found []string) {
	t.Helper()
	request := s.Request
	request.Tenant = ""
	body := strings.TrimSuffix(compactJSON(request), "}")
	for token := ""; ; {
		response, err := http.Post(url, "application/json", strings.NewReader(fmt.Sprintf(`%s,"page":{"limit":3,"token":%q}}`, body, token)))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Page struct {
				NextToken string `json:"next_token"`
			} `json:"page"`
			Results []struct{ ID, Name string } `json:"results"`
			Error   any                         `json:"error"`
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %v, %v", url, response.Status, answer.Error, err)
		}
		for _, result := range answer.Results {
			found = append(found, result.ID+result.Name)
		}
		if token = answer.Page.NextToken; token == "" {
			return found
		}
	}
}

// TestDemoCurl runs what the demo's help and its last words tell people to type.
func TestDemoCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: install it to try the commands of the demo's help")
	}
	s := startDemo(t)
	var help, words bytes.Buffer
	run(t.Context(), []string{"demo", "--help"}, streams{out: &help, err: &help})
	s.printHowToAsk(&printer{out: &words})
	address := s.httpListener.Addr().String()
	wants := map[string][]string{
		strings.ReplaceAll(help.String(), defaultHTTP, address): {`{"decision":true,`, `"results":[{"name":"read"}`},
		words.String(): {`{"decision":true,`, `"results":[{"name":"read"}`},
	}
	for text, wants := range wants {
		commands := regexp.MustCompile(`(?m)^ *(curl (?:.*\\\n)*.*)$`).FindAllStringSubmatch(text, -1)
		if len(commands) != len(wants) {
			t.Fatalf("there are %d commands, want %d:\n%s", len(commands), len(wants), text)
		}
		for i, want := range wants {
			output, err := exec.CommandContext(t.Context(), "sh", "-c", commands[i][1]).CombinedOutput()
			if err != nil || !strings.Contains(string(output), want) {
				t.Errorf("%s\nprinted %s, %v, want %s in it", commands[i][1], output, err, want)
			}
		}
	}
}
