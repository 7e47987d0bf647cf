// Package lint holds the rules of the house as code, so that a test fails where a comment would be forgotten.
//
// What is judged, each in the file of its name:
//
//	floors  who may import whom: the table of floors, and which third-party module may stand on which floor
//	pure    what internal/core may not touch: goroutines, clocks, chance, files, the network, the order of a map
//	shape   sizes of files and functions, a door (doc.go) for every package, no init, no catch-all package, no sleeping test
//	apis    every API that is advertised is served
//	docs    tests named in the guarantees exist, links between the documents resolve
//
// A rule is a function from Sources to findings, and knows nothing of testing: rules are tested on small bad
// sources of their own, and then run over the whole module. Nothing imports this package.
//
// To change a rule is a commit of its own that says why.
package lint
