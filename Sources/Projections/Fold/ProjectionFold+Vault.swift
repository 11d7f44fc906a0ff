import FinOps

/// Secrets leave a trace in the audit log alone: who changed or used which, never what it is.
extension ProjectionFold {
    func apply(_ event: WireSecretStored, _ context: ProjectedEvent) throws {
        try audit(context, event.secretID, "version \(event.version) for \(event.purpose)", event.reason)
    }

    func apply(_ event: WireSecretRewrapped, _ context: ProjectedEvent) throws {
        let key = "\(event.wrappedBy.kind) \(event.wrappedBy.keyID)"
        try audit(context, event.secretID, "version \(event.version) under \(key)", event.reason)
    }

    func apply(_ event: WireSecretRemoved, _ context: ProjectedEvent) throws {
        try audit(context, event.secretID, "", event.reason)
    }

    func apply(_ event: WirePersonForgotten, _ context: ProjectedEvent) throws {
        try audit(context, event.personID, "", event.reason)
    }

    func apply(_ event: WireSecretUsed, _ context: ProjectedEvent) throws {
        try audit(context, event.secretID, "version \(event.version) by \(event.stage) for \(event.subject)", "")
    }
}
