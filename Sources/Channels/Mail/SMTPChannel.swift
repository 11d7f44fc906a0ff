import FinOps
package import Notices
package import Transfer

/// Sends a notice as mail through a server. Of several recipients, those that have it do not get it again while the
/// others are tried for.
package actor SMTPChannel: NoticeDelivering {
    private let access: SMTPAccess
    private let recipients: [MailAddress]
    private let transport: any MailTransport
    private let compose: @Sendable (Notice) -> MailWording
    /// Who needs no further attempt at the newest notice, by their number.
    private var settled: (notification: String, recipients: Set<Int>) = ("", [])

    /// - Parameter recipients: who reads the destination's language; at least one.
    package init(
        _ access: SMTPAccess, to recipients: [MailAddress], transport: any MailTransport,
        compose: @escaping @Sendable (Notice) -> MailWording
    ) {
        self.access = access
        self.recipients = recipients
        self.transport = transport
        self.compose = compose
    }

    package func deliver(_ notice: Notice) async -> DeliveryOutcome {
        if settled.notification != notice.id { settled = (notice.id, []) }
        let waiting = recipients.indices.filter { !settled.recipients.contains($0) }
        let mail = Mail(
            sender: access.from.address, recipients: waiting.map { recipients[$0].address },
            message: message(notice).bytes)
        do { return outcome(try await transport.send(mail, to: access.server), waiting: waiting) } catch {
            return .failed(DeliveryFailure(error))
        }
    }

    private func message(_ notice: Notice) -> MailMessage {
        let thread = MailThread(notice, domain: access.from.domain)
        return MailMessage(
            from: access.from, to: recipients, wording: compose(notice), date: notice.at,
            messageID: thread.messageID, references: thread.root)
    }

    private func outcome(_ receipt: MailReceipt, waiting: [Int]) -> DeliveryOutcome {
        let postponed = receipt.refused.filter { $0.value.isTemporary }
        settled.recipients.formUnion(waiting.enumerated().filter { postponed[$0.offset] == nil }.map(\.element))
        let refusals = receipt.refused.sorted { $0.key < $1.key }
            .map { "recipient \(waiting[$0.key] + 1) of \(recipients.count) was refused: \($0.value)" }
        guard postponed.isEmpty else {
            return .failed(
                // A deliverer that comes after this one tries them all again.
                DeliveryFailure(
                    code: "unavailable", message: "the others have it; " + refusals.joined(separator: "; "),
                    isUncertain: true, isRetriable: true))
        }
        return .delivered(answer: (["\(receipt.reply)"] + refusals).joined(separator: "; "))
    }
}

extension DeliveryFailure {
    /// The server did not take it.
    init(_ failure: MailFailure) {
        let code =
            switch failure.kind {
            case .timedOut: "timed-out"
            case .invalidMail: "misconfigured"
            case .loginRefused: failure.isRetriable ? "unavailable" : "not-authorised"
            case .refused where failure.reply?.code == 530: "not-authorised"
            case .refused: failure.isRetriable ? "unavailable" : "refused"
            case .tlsFailed, .cannotResolve, .cannotConnect, .connectionLost, .cancelled, .other: "unreachable"
            }
        // A certificate is renewed, and a stopped attempt made again, without anybody's doing.
        let passes = failure.isRetriable || failure.kind == .tlsFailed || failure.kind == .cancelled
        self.init(code: code, message: failure.message, isUncertain: failure.isUncertain, isRetriable: passes)
    }
}
