/// What an administrator has made and given a name.
package enum NamedThing: Sendable {
    case team
    case project
    /// A key of the gateway, by its id.
    case gatewayKey

    fileprivate var query: String {
        switch self {
        case .team: "SELECT 1 FROM teams WHERE team = ?1"
        case .project: "SELECT 1 FROM projects WHERE project = ?1"
        case .gatewayKey: "SELECT 1 FROM gateway_keys WHERE key = ?1"
        }
    }
}

extension ProjectionReader {
    /// Whether there is one of this name, whatever it has cost.
    /// - Throws: `ProjectionFailure`.
    package func knows(_ thing: NamedThing, _ name: String) throws -> Bool {
        try read { connection in
            let statement = try Statement(connection, thing.query)
            statement.bind(1, name)
            return try statement.step()
        }
    }
}
