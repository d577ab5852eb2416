package authz_test

import rego.v2

import data.authz

test_w7_clearance_meets_classification if {
	allowed("user:nils", "read", "document:handbook")
	allowed("user:dan", "read", "document:roadmap")
}

test_w7_clearance_below_classification_denied if {
	denied("user:nils", "read", "document:roadmap", "The document is classified secret, the subject is cleared for internal.")
	denied("user:ivo", "read", "document:roadmap", "The document is classified secret, the subject is cleared for confidential.")
}

# METADATA
# title: For every pair of levels, the reader's must be at least the document's
test_w7_clearances_are_a_lattice if {
	every clearance, reader in authz.clearance_levels {
		every classification, document in authz.clearance_levels {
			meets := reader >= document
			reads(clearance, classification) == meets
		}
	}
}

reads(clearance, classification) := made.allowed if {
	reader := altered(data.directory.user.nils, {"clearance": clearance})
	document := altered(data.directory.document.handbook, {"classification": classification})
	made := decision("user:nils", "read", "document:handbook", {}) with data.directory.user.nils as reader
		with data.directory.document.handbook as document
}

test_w7_member_reads_compartment if allowed("user:vera", "read", "document:aurora-bid")

test_w7_cleared_but_not_in_the_compartment_denied if {
	denied("user:dan", "read", "document:aurora-bid", "The subject is not in every compartment of the document.")
}

test_w7_in_one_of_two_compartments_denied if {
	document := altered(
		data.directory.document["aurora-bid"],
		{"compartments": ["compartment:aurora", "compartment:borealis"]},
	)
	denied("user:vera", "read", "document:aurora-bid", "The subject is not in every compartment of the document.") with data.directory.document["aurora-bid"] as document
}

test_w7_compartments_that_are_no_list_deny if {
	every compartments in ["compartment:borealis", 7, true, null, {}] {
		document := altered(data.directory.document["aurora-bid"], {"compartments": compartments})
		denied("user:vera", "read", "document:aurora-bid", "The subject is not in every compartment of the document.") with data.directory.document["aurora-bid"] as document
	}
}

test_w7_in_the_compartment_but_not_cleared_denied if {
	vera := altered(data.directory.user.vera, {"clearance": "internal"})
	denied("user:vera", "read", "document:aurora-bid", "The document is classified secret, the subject is cleared for internal.") with data.directory.user.vera as vera
}

test_w7_unclassified_document_denied if {
	document := lacking(data.directory.document.handbook, ["classification"])
	denied("user:vera", "read", "document:handbook", "The document is classified nothing, the subject is cleared for secret.") with data.directory.document.handbook as document
}

test_w7_reader_without_clearance_denied if {
	nils := lacking(data.directory.user.nils, ["clearance"])
	denied("user:nils", "read", "document:handbook", "The document is classified internal, the subject is cleared for nothing.") with data.directory.user.nils as nils
}

test_w7_unknown_level_denied if {
	vera := altered(data.directory.user.vera, {"clearance": "cosmic"})
	denied("user:vera", "read", "document:handbook", "The document is classified internal, the subject is cleared for cosmic.") with data.directory.user.vera as vera
}
