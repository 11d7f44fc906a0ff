package import FinOps
import FoundationEssentials

/// Which model answers to a name, as the last answers told it. Usage of a provider names that model: a call that nobody heard
/// the answer of has to be counted as the same one, or its estimate would stand beside the usage that takes its place. A fold of
/// the calls.
package struct ServedModels: Sendable {
    private struct Asked: Hashable, Codable {
        let upstream: String
        let name: String
    }

    private var served: [Asked: String] = [:]
    /// More names than providers have; what comes after them is not noted.
    private static let most = 2_000

    package init() {}

    package mutating func take(_ call: WireCallRecorded) {
        // Of what the provider told nothing about, the name is the caller's or taken from here.
        guard call.quantities.requests > 0, call.usageEstimated.isEmpty, !call.modelAsked.isEmpty else { return }
        let asked = Asked(upstream: call.upstream, name: call.modelAsked)
        if call.model == call.modelAsked {
            // Most names are the models' own: there is nothing to forget, and nothing to be looked up in.
            if !served.isEmpty { served[asked] = nil }
        } else if served.count < Self.most || served[asked] != nil {
            served[asked] = call.model
        }
    }

    /// - Parameter upstream: its name: deployments of one account need not agree.
    /// - Returns: nil where no answer has told of another model than the one asked for.
    package func model(upstream: String, asked: String) -> String? { served[Asked(upstream: upstream, name: asked)] }

    // MARK: Writing down

    private struct Entry: Codable {
        let asked: Asked
        let model: String
    }

    /// What `init(snapshot:)` reads; equal folds are equal bytes.
    /// - Throws: what JSON says of values that cannot be written, which no model's name is.
    package func snapshot() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let entries = served.map { Entry(asked: $0, model: $1) }
        return Array(
            try encoder.encode(
                entries.sorted { ($0.asked.upstream, $0.asked.name) < ($1.asked.upstream, $1.asked.name) }))
    }

    /// - Throws: what JSON says of bytes that `snapshot` did not write.
    package init(snapshot: [UInt8]) throws {
        for entry in try JSONDecoder().decode([Entry].self, from: Data(snapshot)) { served[entry.asked] = entry.model }
    }
}
