package topdown_test

import (
	"testing"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

func TestConformance(t *testing.T) { evaltest.Run(t, topdown.New()) }

func TestOPACases(t *testing.T) { evaltest.RunOPACases(t, topdown.New().Name(), evaltest.Reference) }
