/// What an item of an outbox tells.
package enum FactKind: String, Hashable, Sendable, CaseIterable {
    case crossed
    case cleared
    case collectionFailed = "collection-failed"
    case modelUnpriced = "model-unpriced"
    case conditionRaised = "condition-raised"
    case conditionEnded = "condition-ended"
    case test
    case canary
}
