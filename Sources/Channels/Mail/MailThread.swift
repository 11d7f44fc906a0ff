import Digest
import FinOps
import Notices

/// What a mail is known by: the same for every attempt, and one thread for a window's crossings and clearings.
struct MailThread {
    /// With the angle brackets.
    let messageID: String
    /// Of a message that was never sent: mail programs show together what refers to the same one. nil for a message
    /// about several windows, or about something else.
    let root: String?

    init(_ notice: Notice, domain: Substring) {
        messageID = "<\(hexText(SHA256.hash(Array("\(notice.id)/\(notice.destination)".utf8)).prefix(16)))@\(domain)>"
        let windows = Set(notice.facts.map { Self.window(of: $0.event) })
        guard windows.count == 1, let window = windows.first ?? nil else {
            root = nil
            return
        }
        root = "<window-\(hexText(SHA256.hash(Array(window.utf8)).prefix(16)))@\(domain)>"
    }

    private static func window(of event: FinOpsEvent?) -> String? {
        switch event {
        case .thresholdCrossed(let event): "\(event.scope)/\(event.name)/\(event.window)/\(event.firstDay)"
        case .thresholdCleared(let event): "\(event.scope)/\(event.name)/\(event.window)/\(event.firstDay)"
        default: nil
        }
    }
}
