package grpcapi

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// What is written directly is what the generated code writes.
func TestAnswersAreAsTheGeneratedCodeWritesThem(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\xff", strings.Repeat("é", 64), strings.Repeat("x", 1<<14)}))
	number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.MaxFloat64}))
	exact := rapid.SampledFrom([]json.Number{"0", "-0", "1", "60", "1.50", "9007199254740993", "0.12345678901234567890", "1e400"})
	var value func(depth int) *rapid.Generator[any]
	object := func(depth int) *rapid.Generator[authz.Object] {
		name := text.Filter(func(name string) bool { return name != "\ufffd" }) // which \xff becomes
		return rapid.MapOfN(name, value(depth), 0, 4)
	}
	value = func(depth int) *rapid.Generator[any] {
		scalars := []*rapid.Generator[any]{rapid.Just[any](nil), rapid.Bool().AsAny(), text.AsAny(), number.AsAny(), exact.AsAny()}
		if depth == 0 {
			return rapid.OneOf(scalars...)
		}
		return rapid.OneOf(append(scalars, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), object(depth-1).AsAny())...)
	}
	decisions := rapid.Custom(func(t *rapid.T) authz.Decision {
		d := authz.Decision{
			Allowed:           rapid.Bool().Draw(t, "allowed"),
			Reasons:           rapid.SliceOfN(text, 0, 3).Draw(t, "reasons"),
			ID:                text.Draw(t, "id"),
			PolicyRevision:    text.Draw(t, "policy revision"),
			DirectoryRevision: rapid.Uint64().Draw(t, "directory revision"),
		}
		if rapid.Bool().Draw(t, "obliges") {
			d.Obligations = object(3).Draw(t, "obligations")
		}
		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		d := decisions.Draw(t, "decision")
		data, err := appendDecision([]byte("before"), &d)
		if err != nil {
			t.Fatal(err)
		}
		rest, found := strings.CutPrefix(string(data), "before")
		if !found {
			t.Fatalf("what stood before is gone: %q", data)
		}
		var got verdictv1.CheckAccessResponse
		if err := proto.Unmarshal([]byte(rest), &got); err != nil {
			t.Fatalf("the answer is malformed: %v", err)
		}
		want, err := responseOf(d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wire.Mended(want), &got, protocmp.Transform()); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if size := proto.Size(&got); size != len(rest) {
			t.Errorf("the answer has %d bytes, want %d", len(rest), size)
		}
	})
}

func TestObligationsThatNoObjectHas(t *testing.T) {
	for _, object := range []authz.Object{{"a": 1}, {"a": []any{struct{}{}}}, {"a": authz.Object{"b": []string{"c"}}}} {
		if _, err := appendDecision(nil, &authz.Decision{ID: "d1", Obligations: object}); err == nil || !strings.Contains(err.Error(), "decision d1") {
			t.Errorf("obligations %v: error %v", object, err)
		}
	}
}

// BenchmarkAnswer writes a decision with a reason and an obligation: directly,
// and by the generated message.
func BenchmarkAnswer(b *testing.B) {
	d := authz.Decision{
		Reasons:     []string{"A ticket is read by the person who filed it."},
		Obligations: authz.Object{"quota": authz.Object{"requests_per_minute": json.Number("60"), "requests_per_day": json.Number("1000")}},
		ID:          "01900000-0000-7000-8000-000000000000", PolicyRevision: "1.0.0", DirectoryRevision: 42,
	}
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := appendDecision(make([]byte, 0, roomFor(&d)), &d); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("generated", func(b *testing.B) {
		codec := wire.NewCodec()
		b.ReportAllocs()
		for b.Loop() {
			message, err := responseOf(d)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := codec.Marshal(message); err != nil {
				b.Fatal(err)
			}
		}
	})
}
