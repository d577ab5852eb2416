package authz

import rego.v2

import data.verdict.request

# METADATA
# title: A viewer streams what the plan includes, on a free device, and what suits them
allow if {
	_streams
	subscription_active
	_in_tier
	_device_free
	_suits_viewer
}

# METADATA
# title: Titles are streamed
actions contains "stream" if input.resource.type == "title"

# METADATA
# title: The plan's tier is too low
missing contains sentence if {
	_streams
	request.resource_known
	subscription_active
	not _in_tier
	sentence := sprintf("The plan %s does not include this title.", [plan.id])
}

# METADATA
# title: All devices are in use
missing contains sentence if {
	_streams
	subscription_active
	not _device_free
	sentence := sprintf("The plan %s streams to %v devices at a time, and context.active_devices must say how many are in use.", [plan.id, plan.attributes.streaming.devices])
}

# METADATA
# title: The rating is above the viewer's age
missing contains "The title is not rated for the age of this profile." if {
	_streams
	request.resource_known
	_kids
	not _rated_for_age
}

# METADATA
# title: It is not the hour
missing contains sentence if {
	_streams
	_kids
	not _within_hours
	hours := request.subject.attributes.hours
	sentence := sprintf("This profile streams from %v to %v o'clock.", [hours.from, hours.until])
}

_streams if {
	input.subject.type == "viewer"
	input.resource.type == "title"
	input.action.name == "stream"
}

_in_tier if _at_most(request.resource.attributes.tier, plan.attributes.streaming.tier)

_device_free if {
	_at_most(0, input.context.active_devices)
	_less(input.context.active_devices, plan.attributes.streaming.devices)
}

_kids if request.subject.attributes.kids == true

_suits_viewer if request.subject.attributes.kids == false

_suits_viewer if {
	_kids
	_rated_for_age
	_within_hours
}

_rated_for_age if _at_most(request.resource.attributes.min_age, request.subject.attributes.max_age)

_within_hours if {
	[hour, _, _] := time.clock([time.now_ns(), account.attributes.timezone])
	_at_most(request.subject.attributes.hours.from, hour)
	_less(hour, request.subject.attributes.hours.until)
}
