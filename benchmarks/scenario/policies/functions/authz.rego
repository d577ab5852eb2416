# METADATA
# title: Functions and comprehensions
# description: >-
#   Expenses are approved by someone whose limits cover them, category by
#   category, and who gets none of the money.
package authz

import rego.v2

default allow := false

allow if {
	input.action.name == "approve"
	count(input.context.items) > 0
	every category in categories {
		total(category) <= limit(category)
	}
	not approver.ref in paid
}

approver := data.directory.user[input.subject.id] if input.subject.type == "user"

categories := {normal(item.category) | some item in input.context.items}

paid := {item.paid_to | some item in input.context.items}

total(category) := sum([price(item) |
	some item in input.context.items
	normal(item.category) == category
])

price(item) := item.price * item.quantity if not item.discount

price(item) := (item.price * item.quantity) - item.discount

limit(category) := max([limit.amount |
	some limit in approver.attributes.limits
	limit.category in {category, "any"}
])

# Expenses are typed in by hand.
normal(category) := lower(trim_space(category))
