// The Pulumi Kubernetes provider, built from its published modules.
//
// Upstream's own main package embeds generated files (schema.json, terraform-mapping.json) that the
// module does not carry. The engine needs neither to run a program: they serve code generation and import.
// Source: github.com/pulumi/pulumi-kubernetes, provider/cmd/pulumi-resource-kubernetes/main.go.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	schema := []byte(`{"name":"kubernetes","version":"` + version.Version + `"}`)
	provider.Serve("kubernetes", version.Version, schema, []byte(`{}`))
}
