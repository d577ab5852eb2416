# METADATA
# title: Claims over attributes
# description: >-
#   What the caller claims, laid over what the directory knows. Warning: whoever
#   sends a request chooses its properties, so a subject can claim any role or
#   clearance here. Use these rules only where every caller is trusted, such as
#   a gateway that copies the claims of a token it has verified. Everywhere else
#   read request.subject.attributes.
package verdict.claims

import rego.v2

import data.verdict.request

# METADATA
# scope: document
# title: The subject's attributes under the caller's properties
# description: >-
#   A property replaces the attribute of its name; where both are objects they
#   are merged. A subject that the directory does not know has its properties
#   alone.
subject := object.union(request.subject.attributes, input.subject.properties)

subject := input.subject.properties if not request.subject_known

# METADATA
# scope: document
# title: The resource's attributes under the caller's properties
# description: Made as the subject's.
resource := object.union(request.resource.attributes, input.resource.properties)

resource := input.resource.properties if not request.resource_known
