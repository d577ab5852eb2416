package authz_test

import rego.v2

elsewhere := "This data is served only through region:eu."

test_c5_data_is_served_through_its_region if {
	decided(asks_in("user:erik", "read", "user:erik", {"region": "eu"})).allowed
	decided(asks_in("user:erik", "read", "ticket:t-3", {"region": "eu"})).allowed
}

test_c5_data_is_not_served_through_another_region if {
	decided(asks_in("user:erik", "read", "user:erik", {"region": "us"})) == {
		"allowed": false,
		"reasons": {elsewhere},
		"obligations": {},
	}
	decided(asks_in("user:erik", "read", "ticket:t-3", {"region": "us"})).reasons == {elsewhere}
}

test_c5_a_request_that_does_not_say_its_region_is_not_served if {
	decided(asks("user:erik", "read", "user:erik")).reasons == {elsewhere}
	every region in [null, 5, ["eu"], "EU", "eu ", ""] {
		not decided(asks_in("user:erik", "read", "user:erik", {"region": region})).allowed
	}
}

test_c5_data_of_no_region_is_served_anywhere if {
	decided(asks_in("user:ana", "read", "user:ana", {"region": "us"})).allowed
}
