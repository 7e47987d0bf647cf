// Package metrics declares every metric once - name, help, labels - and registers it at one Registry a node.
//
// Code that measures asks the Registry for a handle when it is built (Counter, Gauge, Histogram) and then only
// bumps the handle: no lookup by label and no allocation on a hot path. What would need a series per partition
// and is only read (sizes, offsets, counts) is collected at the time of the scrape (GaugeFunc, Collect).
//
// docs/metrics.md is generated from the list; a test fails while it is stale. There is no default registry and no
// other place where a metric can come from.
package metrics
