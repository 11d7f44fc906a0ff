import ArgumentParser
import EventLog
import FinOps
import JSON
import Runtime
import Secret
import Vault

/// Where alerts can go.
enum ChannelName: String, ExpressibleByArgument, CaseIterable {
    case slack, mail, sentry

    /// Where the vault has its address and credential.
    var secretID: String { "channel-\(rawValue)" }
    var stream: StreamName { .channel(rawValue) }

    /// Sentry takes what went wrong with a program, and no costs.
    var takesAlerts: Bool { self != .sentry }

    /// What sets it, for remedies.
    var setCommand: String {
        switch self {
        case .slack: "finops channel set slack --url-file FILE"
        case .mail: "finops channel set mail --smtp smtp://HOST:587 --from ADDRESS --to ADDRESS,…"
        case .sentry: "finops channel set sentry --dsn-file FILE"
        }
    }
}

/// A channel as it is to be: what the log may know of it, and what only the vault does.
struct ChannelSetting: Sendable {
    let channel: ChannelName
    /// slack, smtp, resend or sentry.
    let transport: String
    let address: ChannelAddress
    /// One per language.
    let destinations: [String]
    var recipients = 0
    /// What the notifier needs to send: JSON.
    let secret: Secret

    init(slack url: Secret, language: GivenRecipient.Language) throws {
        channel = .slack
        transport = "slack"
        address = try Self.address(url.plainText, as: .webhook, option: "--url-file")
        destinations = ["slack"]
        secret = Self.document([.init("url", .secret(url)), .init("language", .string(language.rawValue))])
    }

    init(sentry dsn: Secret) throws {
        channel = .sentry
        transport = "sentry"
        address = try Self.address(dsn.plainText, as: .sentryDSN, option: "--dsn-file")
        destinations = ["sentry"]
        secret = Self.document([.init("dsn", .secret(dsn))])
    }

    /// - Parameter account: as whom to log in; the server then has to offer TLS.
    init(smtp server: String, account: (user: String, password: Secret)?, mail: MailHeads) throws {
        let address = try Self.address(server, as: .mailServer, option: "--smtp")
        let login: [JSONValue.Member] =
            account.map { [.init("user", .string($0.user)), .init("password", .secret($0.password))] } ?? []
        self.init("smtp", address, [.init("smtp", .string(address.text))] + login, mail)
    }

    init(resend key: Secret, base: String, mail: MailHeads) throws {
        let address = try Self.address(base, as: .interface, option: "--resend-url")
        let base = String(base.prefix(upTo: base.index(after: base.lastIndex { $0 != "/" } ?? base.startIndex)))
        let members: [JSONValue.Member] = [.init("resend_key", .secret(key)), .init("base_url", .string(base))]
        self.init("resend", address, members, mail)
    }

    private init(_ transport: String, _ address: ChannelAddress, _ members: [JSONValue.Member], _ mail: MailHeads) {
        channel = .mail
        self.transport = transport
        self.address = address
        let languages = Set(mail.to.map(\.language))
        destinations = GivenRecipient.Language.allCases.filter(languages.contains).map { "mail-\($0.rawValue)" }
        recipients = mail.to.count
        secret = Self.document(members + mail.members)
    }

    private static func document(_ members: [JSONValue.Member]) -> Secret {
        Secret(Array(JSONValue.object(members).text.utf8))
    }

    private static func address(
        _ text: String, as kind: ChannelAddress.Kind, option: String
    ) throws -> ChannelAddress {
        do { return try ChannelAddress(text, as: kind) } catch { throw CommandFailure(.usage, "\(option): \(error)") }
    }

    /// Keeps the secret, then says so in the log; the same again changes nothing.
    func apply(_ options: AdministrationOptions) async throws {
        let vault = try SecretStore.local(of: try options.global.initialisedDirectory())
        let answer = try await AdministrationSession.run(options.global) { session in
            let kept = try await session.keep(
                secret, id: channel.secretID, purpose: SecretPurpose.notificationChannel, in: vault,
                reason: options.reason)
            let events = try await session.decide(
                ChannelRegister.self, on: channel.stream,
                .set(event(version: kept.version, reason: options.reason), secretChanged: kept.hasChanged))
            return Answer(changed: !events.isEmpty, message, members)
        }
        try answer.print(options.global)
        if answer.hasChanged, !options.global.quiet, !options.global.json {
            Output.message("test it with: notifier test --channel \(channel.rawValue)")
        }
    }

    private func event(version: Int, reason: String) -> WireChannelSet {
        var event = WireChannelSet()
        event.channel = channel.rawValue
        event.transport = transport
        event.address = address.text
        event.secretID = channel.secretID
        event.secretVersion = UInt32(clamping: version)
        event.destinations = destinations
        event.recipients = UInt32(clamping: recipients)
        event.reason = reason
        return event
    }

    private var message: String {
        let whom = recipients == 0 ? "" : ", to \(recipients) \(recipients == 1 ? "address" : "addresses")"
        return "alerts go to \(channel.rawValue) by \(address)\(whom)"
    }

    private var members: [JSONValue.Member] {
        [
            .init("channel", .string(channel.rawValue)), .init("transport", .string(transport)),
            .init("address", .string(address.text)), .init("destinations", .array(destinations.map(JSONValue.string))),
            .init("recipients", .integer(recipients)),
        ]
    }
}

/// From whom and to whom alerts are mailed.
struct MailHeads: Sendable {
    let from: GivenAddress
    let to: [GivenRecipient]

    /// - Throws: `CommandFailure` with `usage`, whose text does not repeat an address.
    init(from: String, to: String) throws {
        do { self.from = try GivenAddress(from) } catch { throw CommandFailure(.usage, "--from: \(error)") }
        do { self.to = try GivenRecipient.list(to) } catch { throw CommandFailure(.usage, "--to: \(error)") }
    }

    fileprivate var members: [JSONValue.Member] {
        let recipients = to.map { recipient in
            JSONValue.object([
                .init("address", .string(recipient.address.text)),
                .init("language", .string(recipient.language.rawValue)),
            ])
        }
        return [.init("from", .string(from.text)), .init("to", .array(recipients))]
    }
}

extension JSONValue {
    /// A secret as a text, on its way into the vault.
    fileprivate static func secret(_ secret: Secret) -> JSONValue { .string(secret.plainText) }
}

extension Secret {
    fileprivate var plainText: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }
}
