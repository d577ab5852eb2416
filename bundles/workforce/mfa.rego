# Multi-factor authentication for sensitive actions (W12).
package authz

import rego.v2

# METADATA
# title: What takes MFA
sensitive_permissions := {"payment:approve", "salary:read", "server:administer"}

# METADATA
# title: What takes MFA on any resource
sensitive_actions := {"grant_role"}

# METADATA
# title: A sensitive action takes MFA
deny contains mfa_reason if mfa_missing

# METADATA
# title: Whoever only lacks MFA is asked to step up
# description: Not for those whom MFA would not help.
obligations["step_up"] := "mfa" if {
	allow
	deny == {mfa_reason}
}

# METADATA
# title: The action is sensitive, and the login was without MFA
# description: >-
#   The context is the word of the service that asks, which alone has seen the
#   login. Anything but true is no.
mfa_missing if {
	sensitive
	not input.context.mfa == true
}

# METADATA
# title: The permission is sensitive
sensitive if permission in sensitive_permissions

# METADATA
# title: The action is sensitive on any resource
sensitive if input.action.name in sensitive_actions

# METADATA
# title: What a deny for want of MFA says
mfa_reason := "The action takes multi-factor authentication."
