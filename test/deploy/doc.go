// Package deploy tries what lies below deploy: the charts, the unit of systemd and the
// image, each by the program that takes it or that program's own packages.
//
// The charts are linted and rendered by Helm's packages, and what they render is held
// against Kubernetes' own: decoded strictly, given its defaults and validated as its
// API server does, and held to the restricted level of its pod security standard. That
// says more than a schema would, and asks no network.
//
// It is a module of its own, since Helm and Kubernetes need more modules than all else
// here together:
//
//	go -C test/deploy test .
package deploy
