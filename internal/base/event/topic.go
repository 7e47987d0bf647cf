package event

// Topic is where a node stores its events, as JSON, one record each.
const Topic = "__holdfast_events"
