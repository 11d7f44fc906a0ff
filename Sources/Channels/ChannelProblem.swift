/// Why a channel cannot be used at all. Shows no value of its secret.
package struct ChannelProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    package enum Code: String, Sendable {
        case notJSON = "not-json"
        case missing
        case malformed
        /// A credential would go over the network in clear text.
        case insecure
        /// The channel does not lead to the destination.
        case wrongDestination = "wrong-destination"
        /// Nobody reads the destination's language.
        case noRecipients = "no-recipients"
        case tooManyRecipients = "too-many-recipients"
        /// libcurl does not start.
        case noTransport = "no-transport"
    }

    package let code: Code
    package let message: String

    /// - Parameter complaint: what follows "the channel's secret".
    init(_ code: Code, _ complaint: String) {
        self.code = code
        message = "the channel's secret \(complaint): set it anew with `finops channel set`"
    }

    init(_ code: Code, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
