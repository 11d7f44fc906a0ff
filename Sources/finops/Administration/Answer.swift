import JSON
import Runtime

/// What an administration command came to: a sentence for people on stderr, or an object for machines on stdout.
struct Answer: Sendable {
    let hasChanged: Bool
    let message: String
    let members: [JSONValue.Member]

    /// - Parameter message: what is true now, without a full stop.
    init(changed hasChanged: Bool, _ message: String, _ members: [JSONValue.Member] = []) {
        self.hasChanged = hasChanged
        self.message = message
        self.members = members
    }

    /// - Throws: `BrokenPipe` or `SystemError`, if stdout cannot take it.
    func print(_ options: GlobalOptions) throws {
        if options.json {
            try Output.line(JSONValue.object([.init("changed", .bool(hasChanged))] + members).text)
        } else if !options.quiet {
            Output.message(hasChanged ? message : "no change: \(message)")
        }
    }
}
