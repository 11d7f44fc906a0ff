import EventLog
import Foundation
import JSON
import Runtime

/// What arrived at the receivers, each arrival an entry of its own: the same message twice is two entries.
actor Inbox {
    /// One arrival: what its sender heard of it, and what it said.
    struct Arrival: Sendable {
        /// Whether it is in the mailbox or channel; else it was turned away.
        let isKept: Bool
        /// Its members besides when it arrived.
        let members: [JSONValue.Member]
    }

    enum Receiver: String, CaseIterable, Sendable { case slack, mail, sentry }

    /// Older arrivals are forgotten beyond this many of a receiver.
    static let keptArrivals = 2_000

    private let clock: SandboxClock
    /// Where it is written, too, after each arrival; nil: nowhere.
    private let folder: URL?
    private var kept: [Receiver: [JSONValue]] = [:]
    private var refused: [Receiver: [JSONValue]] = [:]

    init(clock: SandboxClock, folder: URL? = nil) {
        self.clock = clock
        self.folder = folder
    }

    func take(_ arrival: Arrival, at receiver: Receiver) async {
        let received = wallTime()
        let clockTime = Timestamp(seconds: await clock.now)
        let times: [JSONValue.Member] = [
            .init("received", .string(received.rfc3339)), .init("clock", .string(clockTime.rfc3339)),
        ]
        let entry = JSONValue.object(times + arrival.members)
        if arrival.isKept {
            Self.add(entry, to: &kept[receiver, default: []])
        } else {
            Self.add(entry, to: &refused[receiver, default: []])
        }
        if let folder { write(receiver, to: folder) }
    }

    /// A page and a document for each receiver, whole at any time.
    private func write(_ receiver: Receiver, to folder: URL) {
        let page = InboxPage(slack: messages(.slack), mail: messages(.mail), sentry: messages(.sentry))
        let files = ["index.html": page.html, "\(receiver.rawValue).json": document(receiver).prettyText + "\n"]
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in files { try Data(text.utf8).write(to: folder.appending(path: name), options: .atomic) }
        } catch {
            Output.message("warning: \(folder.path) cannot be written: \(error)")
        }
    }

    private static func add(_ entry: JSONValue, to entries: inout [JSONValue]) {
        if entries.count == keptArrivals { entries.removeFirst(keptArrivals / 2) }
        entries.append(entry)
    }

    /// In the order of arrival.
    func messages(_ receiver: Receiver) -> [JSONValue] { kept[receiver] ?? [] }

    func document(_ receiver: Receiver) -> JSONValue {
        ["messages": .array(kept[receiver] ?? []), "refused": .array(refused[receiver] ?? [])]
    }

    func clear(_ receiver: Receiver) { (kept[receiver], refused[receiver]) = ([], []) }
}

extension Inbox.Arrival {
    /// A mail, told by what its bytes say.
    init(mail: MailEnvelope, isKept: Bool, answer: String) {
        let text = MailText(mail.bytes)
        self.init(
            isKept: isKept,
            members: [
                .init("via", "smtp"), .init("answer", .string(answer)), .init("from", .string(mail.from)),
                .init("to", .array(mail.to.map { .string($0) })), .init("subject", JSONValue(text.header("Subject"))),
                .init("message_id", JSONValue(text.header("Message-ID"))),
                .init("headers", .object(text.headers.map { .init($0.name, .string($0.value)) })),
                .init("text", JSONValue(text.text)), .init("html", JSONValue(text.html)),
                .init("raw", .string(String(decoding: mail.bytes, as: UTF8.self))),
            ])
    }

    /// A delivery that was turned away before there was a message.
    init(refusedAt moment: MailSession.Moment, answer: String) {
        self.init(
            isKept: false, members: [.init("at", .string(moment.rawValue)), .init("answer", .string(answer))])
    }
}
