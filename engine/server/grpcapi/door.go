package grpcapi

import (
	"context"
	"net"

	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
)

// Who calls is found out in two steps: of a connection when it is made, by the doorway,
// and of a call before its message is read, by the door. What the caller may do is
// asked once the tenant is known, which is in the message, of each message. (gRPC's tap
// would be earlier, but it keeps the timer of a call that it refuses until the call's
// own deadline, which strangers set.)

// A doorway is the credentials of connections: those below, and what is at the other
// end of each.
type doorway struct {
	credentials.TransportCredentials // nil for none
	callers                          Callers
}

// A visitor is what is known of a connection.
type visitor struct {
	credentials.AuthInfo // nil without TLS
	connection           *caller.Connection
}

// AuthType implements credentials.AuthInfo.
func (v visitor) AuthType() string {
	if v.AuthInfo == nil {
		return "none"
	}
	return v.AuthInfo.AuthType()
}

// ServerHandshake implements credentials.TransportCredentials.
func (d doorway) ServerHandshake(raw net.Conn) (conn net.Conn, info credentials.AuthInfo, err error) {
	conn = raw
	if d.TransportCredentials != nil {
		if conn, info, err = d.TransportCredentials.ServerHandshake(raw); err != nil {
			return nil, nil, err
		}
	}
	evidence := caller.Evidence{Process: caller.ProcessAt(raw), Address: caller.AddressOf(raw.RemoteAddr())}
	if secured, is := info.(credentials.TLSInfo); is {
		evidence.TLS = &secured.State
	}
	return conn, visitor{info, d.callers.Connect(evidence)}, nil
}

// Info implements credentials.TransportCredentials.
func (d doorway) Info() credentials.ProtocolInfo {
	if d.TransportCredentials == nil {
		return credentials.ProtocolInfo{}
	}
	return d.TransportCredentials.Info()
}

// Clone implements credentials.TransportCredentials.
func (d doorway) Clone() credentials.TransportCredentials {
	if d.TransportCredentials != nil {
		d.TransportCredentials = d.TransportCredentials.Clone()
	}
	return d
}

// A door lets calls in.
type door struct {
	gate       Gate
	operations map[string]caller.Operation
}

func newDoor(o Options) *door {
	d := &door{gate: o.Gate, operations: operations()}
	for method, operation := range o.Operations {
		d.operations[method] = operation
	}
	return d
}

// anyones is what is no operation of a caller's: anyone may do it.
const anyones caller.Operation = ""

// operations are what methods do. One that is not here is refused.
func operations() map[string]caller.Operation {
	return map[string]caller.Operation{
		healthpb.Health_Check_FullMethodName: anyones,
		healthpb.Health_Watch_FullMethodName: anyones,
		healthpb.Health_List_FullMethodName:  caller.Describe,

		reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName:      caller.Describe,
		reflectionalphapb.ServerReflection_ServerReflectionInfo_FullMethodName: caller.Describe,

		verdictv1.AccessService_CheckAccess_FullMethodName:       caller.Check,
		verdictv1.AccessService_BatchCheckAccess_FullMethodName:  caller.Check,
		verdictv1.AccessService_StreamCheckAccess_FullMethodName: caller.Check,
		verdictv1.AccessService_SearchSubjects_FullMethodName:    caller.Search,
		verdictv1.AccessService_SearchResources_FullMethodName:   caller.Search,
		verdictv1.AccessService_SearchActions_FullMethodName:     caller.Search,
		verdictv1.AccessService_PlanResources_FullMethodName:     caller.Plan,

		verdictv1.DirectoryService_Write_FullMethodName:          caller.Write,
		verdictv1.DirectoryService_GetEntity_FullMethodName:      caller.Read,
		verdictv1.DirectoryService_ListEntities_FullMethodName:   caller.Read,
		verdictv1.DirectoryService_ListGrants_FullMethodName:     caller.Read,
		verdictv1.DirectoryService_Import_FullMethodName:         caller.Import,
		verdictv1.DirectoryService_Export_FullMethodName:         caller.Export,
		verdictv1.DirectoryService_Watch_FullMethodName:          caller.Watch,
		verdictv1.DirectoryService_CheckDirectory_FullMethodName: caller.Read,

		verdictv1.PolicyService_GetStatus_FullMethodName:  caller.Status,
		verdictv1.AuditService_ListChanges_FullMethodName: caller.Audit,
		verdictv1.BackupService_Backup_FullMethodName:     caller.Administer,
	}
}

// enter finds out who makes a call, and tells its context.
func (d *door) enter(ctx context.Context, method string) error {
	if operation, known := d.operations[method]; known && operation == anyones {
		return nil
	}
	a := arrivalOf(ctx)
	if a == nil || a.visitor == nil {
		return authz.Errorf(authz.Internal, "the call has not come through the tap, or its connection not through the doorway")
	}
	who, err := a.visitor.Caller(a.authorization...)
	if err != nil {
		return err
	}
	a.Tell(who)
	return nil
}

// admit asks whether the caller may do what a message asks for.
func (d *door) admit(ctx context.Context, method string, message any) error {
	return d.admitIn(ctx, method, tenantIn(message))
}

// admitIn asks whether the caller may do what a method does, in a tenant as a message
// names it.
func (d *door) admitIn(ctx context.Context, method, tenant string) error {
	operation, known := d.operations[method]
	switch {
	case !known:
		return authz.Errorf(authz.PermissionDenied, "nobody may call %s", method)
	case operation == anyones:
		return nil
	case !ofServer(operation):
		tenant = tenantOf(tenant)
	}
	return d.gate.Admit(ctx, operation, tenant)
}

// ofServer reports whether an operation is of the whole server where no tenant is
// named, and not of the one that is meant otherwise.
func ofServer(operation caller.Operation) bool {
	switch operation {
	case caller.Describe, caller.Metrics, caller.Status, caller.Administer:
		return true
	}
	return false
}

// tenantIn is the tenant that a message names, if it does.
func tenantIn(message any) string {
	switch message := message.(type) {
	case interface{ TenantName() string }:
		return message.TenantName()
	case interface{ GetTenant() string }:
		return message.GetTenant()
	case interface {
		GetOptions() *verdictv1.ImportOptions
	}:
		return message.GetOptions().GetTenant()
	}
	return ""
}
