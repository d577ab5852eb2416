package main

import (
	"time"

	"github.com/verdictpdp/verdict/engine/admission"
)

// An admissionConfig is what becomes of more than can be decided.
type admissionConfig struct {
	Wait  duration `yaml:"wait" env:"WAIT"`
	Delay duration `yaml:"delay" env:"DELAY"`
}

func defaultAdmission() admissionConfig {
	return admissionConfig{Wait: duration(admission.DefaultMaxWait), Delay: duration(admission.DefaultDelay)}
}

// maxWeight is the most that a tenant may weigh.
const maxWeight = 1_000

func (c *config) validateAdmission(refuse func(field, format string, args ...any)) {
	if c.Admission.Wait <= 0 {
		refuse("admission.wait", "%s: expected a duration above zero, such as 1s", c.Admission.Wait)
	}
	if c.Admission.Delay <= 0 {
		refuse("admission.delay", "%s: expected a duration above zero, such as 10ms", c.Admission.Delay)
	}
	for name, tenant := range c.Tenants {
		if tenant.Weight < 0 || tenant.Weight > maxWeight {
			refuse("tenants."+name+".weight", "%d: expected 1 to %d, or 0 for 1", tenant.Weight, maxWeight)
		}
	}
}

// weights are those of the tenants.
func (c *config) weights() map[string]int {
	weights := make(map[string]int, len(c.Tenants))
	for name, tenant := range c.Tenants {
		weights[name] = int(tenant.Weight)
	}
	return weights
}

// newTurns bounds how much is evaluated at a time.
func newTurns(c config) *admission.Turns {
	return admission.New(admission.Options{MaxWait: time.Duration(c.Admission.Wait), Weights: c.weights()})
}

// newDoor refuses calls while there are too many of them.
func (s *service) newDoor() *admission.Door {
	weights := s.config.weights()
	tenants := make(map[string]int, len(s.tenants))
	for _, name := range s.tenants {
		tenants[name] = weights[name]
	}
	return admission.NewDoor(admission.DoorOptions{
		Delay: time.Duration(s.config.Admission.Delay), Tenants: tenants, Idle: s.idle.Wait, Used: processorTime,
	})
}
