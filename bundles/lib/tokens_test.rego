package verdict.tokens_test

import rego.v2

import data.verdict.fixture
import data.verdict.tokens

# The key that goes with it was thrown away.
keys := {"keys":[{"crv":"P-256","kid":"k1","kty":"EC","x":"OL-KJeCrgU4WfyLUcu8eZVVxCVlYq3UznDsiYfu1C4A","y":"eEjz3GfMownM4alOsFgtfCg14qNnvN4tmPZ--YJ-kkg"}]}

entry := {"issuer": "https://idp.example", "audience": "records", "algorithm": "ES256", "keys": keys, "properties": ["acr", "amr"]}

# Each is good from fixture.start to fixture.end but for what its name says.
token := {
	"good": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.fVqD9j6aPgCBIqdVV3xS0DJELAm9f0-CTgh4HBvZCB-dHQhCJcVaqWKBb5ar2hhEBUe235zMrKplP_hYajBVTA",
	"audience_list": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbIngiLCJyZWNvcmRzIl0sInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDB9.1f6x8NoKV1gsTGrjkqYSwfuXIlCJhcVBJ2SVn6g1CYXZNoMAJzkLNm6IpobfBjtJsTyUwt_e6vTgMjAsd1Q0Ig",
	"other_key": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.gogps87hFw1PiDcQbgrE8YWEKM5_iQoqq4ceXAyZ90MlLDhSNIOFE9-ysTczC8eSiW1ii4mGwGY1e-F-zXfDxg",
	"other_issuer": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSIsImF1ZCI6InJlY29yZHMiLCJzdWIiOiJtaW5hIiwiZXhwIjoxNzgyODY0MDAwfQ.Ptkt0TPnJoXRckIbuCR52IUYfhvXCjBE42Bm37PgulnFZnkAx-X8Q8fp1PFnISAxJXkRhzhXKzDV1_ZmTdlrOg",
	"other_audience": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoiYmlsbGluZyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDB9.Is2uj8ZDevtBLKJKh3HQijrMMvjEQ8p_gXh_QozdPtrFNLO4LBym0DkSoCNeyEbTfBisaEkNKoXNnEQ2Zd4a9Q",
	"no_audience": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoibWluYSIsImV4cCI6MTc4Mjg2NDAwMH0.XiNbbOG7ER_WnB7l_aiylbz8_5rddkQQUItzXVjAHKDfdS7upEcK7iAG8TxwHyyi-QSJ1m9KKmcDMFiS2G_t3Q",
	"no_end": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEifQ.PjOFOS-SNH_gEGO29ptvZ2bpOkOlLTk_o5XOckm3A1QpPx3lxXHWHkRPkkmPdy-iKpoCfioqW1404nZVnsnsxw",
	"end_is_text": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOiIxNzgyODY0MDAwIn0.hWaOGhJ5khzH4BD-WAkzqryZ3ZXL6m2uVWdWegk1u2Iv7yMfb6ckfvxLcGnKkxiFoe93ws5ve4hNbpRNPpnglQ",
	"no_subject": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsImV4cCI6MTc4Mjg2NDAwMH0.Ic3-2E2vkBEik2rLpIInYg9mKH-k6mYFUG6BLm6xvIUP446VklCIRS4VNr1V0clZ4iCb-Jrg5iiV7NluUhwNxw",
	"empty_subject": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6IiIsImV4cCI6MTc4Mjg2NDAwMH0.-4azu_3BdPeUDMd4GSZ5hgWLdqA4uK30Hn82qPDE2P8BpSdEZt-DDh7ErCb2imiQK_u1Uiek3RBPt82hgoo-BQ",
	"critical": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIiwiY3JpdCI6WyJiNjQiXSwiYjY0IjpmYWxzZX0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.Brn7sPKZU9libKOYiOg2BGo4aB4e4X732A0iScsl8DjcD4VoXE8OFgebM5qCEMrTdCnXo8oKuR2RX2H8-IAazg",
	"no_algorithm": "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.",
	"another_algorithm": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.uLn-_PqgQL8NX85YwoCpL4NUCEGyfBCQbt9mpM4mCsl7v51glZRzmglqJTSUZlEq22QP6m6cZh7O3sA_4UWukA",
	"odd_key_id": "eyJhbGciOiJFUzI1NiIsImtpZCI6N30.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.uhrcE7PqJx-K8g3QlufWZ115CeFqeX05Q4SjGtn-2n2N_QY1-KES-HYyCVA1EJarYr2-vtzoqeb4DQ0e080aJw",
	"header_no_object": "WyJFUzI1NiJd.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.zBdSELdNeP3OZOHx-JEF38wDS1oPCTFSvn_9m-aJvpPAUoz2mdNi2NmYUVdiEQkMGnLvib-PuTTIcsJjJLXd-Q",
	"header_no_json": "eyJhbGciOg.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVjb3JkcyIsInN1YiI6Im1pbmEiLCJleHAiOjE3ODI4NjQwMDAsIm5iZiI6MTc2NzIyNTYwMCwiYWNyIjoibWZhIn0.gPXnNuW67mv5_SlTjp9IwX7q3Uyss37JKfrPer781nN30OXotr6RBkWAx9YeG914kDnTUOZgY6onWt1tRCDELQ",
	"claims_no_json": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.ew.0LPz7aWGj8E7Y2YLPGqS-9qavURGhyCGzAFwb59bUPg3ETxX_pTpCjSmsY5xDvY8KPgSZBgaYwBUc7V3BKqWpg",
	"claims_no_object": "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.Nw.PNr4CwOlpVbfcd2oLLpzzmKAh3t0Ic26nm-u5GpVWroHm7SMgHXS4jB3cmahSNJf4fN9veWW7KAyCHtEOvugYw",
}

asks(authorization) := {"headers": {"authorization": authorization}}

subject_by(entries, authorization) := found if {
	found := tokens.subject(asks(authorization)) with data.http.tokens as entries
		with time.now_ns as fixture.now
}

subject(text) := subject_by([entry], concat(" ", ["Bearer", text]))

subject_at(now) := found if {
	found := tokens.subject(asks(concat(" ", ["Bearer", token.good]))) with data.http.tokens as [entry]
		with time.now_ns as now
}

test_a_good_token if subject(token.good) == {"type": "user", "id": "mina", "properties": {"acr": "mfa"}}

test_an_audience_in_a_list if subject(token.audience_list).id == "mina"

test_one_of_several_audiences if {
	subject_by([object.union(entry, {"audience": ["files", "records"]})], concat(" ", ["Bearer", token.good])).id == "mina"
}

test_the_scheme_may_be_in_small_letters if subject_by([entry], concat(" ", ["bearer", token.good])).id == "mina"

test_the_claims if {
	found := tokens.claims(asks(concat(" ", ["Bearer", token.good]))) with data.http.tokens as [entry]
		with time.now_ns as fixture.now
	found.iss == "https://idp.example"
}

test_another_type_and_claim if {
	found := subject_by([object.union(entry, {"type": "customer", "claim": "acr"})], concat(" ", ["Bearer", token.good]))
	found.type == "customer"
	found.id == "mfa"
}

test_the_start_is_in_the_time_and_the_end_is_not if {
	subject_at(fixture.start).id == "mina"
	not subject_at(fixture.start - 1)
	subject_at(fixture.end - 1).id == "mina"
	not subject_at(fixture.end)
}

test_tokens_that_are_no_good if {
	every name, text in object.remove(token, ["good", "audience_list"]) {
		not subject(text)
		print(name)
	}
}

test_what_is_no_token if {
	every text in [
		"", " ", "x", "..", "a.b.c", "YQ.YQ.YQ", "aaaaa.aaaaa.aaaaa", "ey.ey.ey", concat("", [token.good, "."]),
		concat("", [token.good, "="]), concat("", [" ", token.good]), concat(", Bearer ", [token.good, token.good]),
		concat("", [token.good, "x"]),
	] {
		not subject(text)
	}
}

test_another_scheme_is_no_token if {
	not subject_by([entry], concat(" ", ["Basic", token.good]))
	not tokens.offered(asks("Basic eDp5")) with data.http.tokens as [entry]
	not tokens.offered(asks("Bearers x")) with data.http.tokens as [entry]
	not tokens.offered({"headers": {}}) with data.http.tokens as [entry]
}

test_a_bad_token_is_offered_all_the_same if {
	tokens.offered(asks("Bearer x")) with data.http.tokens as [entry]
	tokens.offered(asks("bearer")) with data.http.tokens as [entry]
}

test_what_some_server_takes_for_a_token_is_offered_and_no_good if {
	every text in [
		concat("\t", ["Bearer", token.good]), concat(" ", [" Bearer", token.good]), concat(" ", ["Basic eDp5, bearer", token.good]),
		concat(" ", ["Basic eDp5,BEARER", token.good]),
	] {
		tokens.offered(asks(text)) with data.http.tokens as [entry]
		not subject_by([entry], text)
	}
}

# What is not set refuses everything.
test_an_entry_that_lacks_something_takes_no_token if {
	every member in ["issuer", "audience", "algorithm", "keys"] {
		not subject_by([object.remove(entry, [member])], concat(" ", ["Bearer", token.good]))
	}
	every member in ["issuer", "audience", "algorithm"] {
		every value in ["", null, []] {
			not subject_by([object.union(entry, {member: value})], concat(" ", ["Bearer", token.good]))
		}
	}
	not subject_by([object.union(entry, {"keys": {"keys": []}})], concat(" ", ["Bearer", token.good]))
}

test_no_entries_take_no_token if {
	not subject_by([], concat(" ", ["Bearer", token.good]))
	not tokens.subject(asks(concat(" ", ["Bearer", token.good]))) with time.now_ns as fixture.now
	not tokens.offered(asks(concat(" ", ["Bearer", token.good])))
}

test_the_entry_that_fits_counts if {
	found := subject_by([object.union(entry, {"issuer": "https://other.example", "type": "other"}), entry], concat(" ", ["Bearer", token.good]))
	found.type == "user"
}
