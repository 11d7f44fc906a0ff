import ArgumentParser
import FinOps
import Runtime
import Secret

extension ChannelCommand.Set {
    struct Slack: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends alerts to a Slack channel, or to what takes the same messages.",
            discussion: """
                The URL of an incoming webhook is a credential: it is never taken from the command line.
                Examples:
                  finops channel set slack --url-file webhook.txt
                  pass show slack/finops | finops channel set slack --url-file - --language en
                """)

        @Option(name: .customLong("url-file"), help: "File that holds the webhook's URL; - for standard input.")
        var file: String
        @Option(help: "ko or en.") var language = GivenRecipient.Language.ko
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            let url = try secret(from: file, option: "--url-file")
            try await ChannelSetting(slack: url, language: language).apply(options)
        }
    }

    struct Mail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Mails alerts, by SMTP or by Resend.",
            discussion: """
                smtps:// is TLS from the start; smtp:// is STARTTLS, without which no password is sent.
                Mails are Korean, and English to addresses that end with :en.
                Examples:
                  finops channel set mail --smtp smtp://mail.example.com:587 --user finops --password-file password.txt \\
                    --from finops@example.com --to kim@example.com,lee@example.com:en
                  finops channel set mail --resend-key-file key.txt --from finops@example.com --to kim@example.com
                """)

        @Option(help: "The mail server, smtp://HOST:PORT or smtps://HOST:PORT.") var smtp: String?
        @Option(help: "The user as whom to log in there.") var user: String?
        @Option(name: .customLong("password-file"), help: "File that holds the password; - for standard input.")
        var passwordFile: String?
        @Option(name: .customLong("resend-key-file"), help: "File that holds Resend's key; - for standard input.")
        var resendKeyFile: String?
        @Option(name: .customLong("resend-url"), help: "What stands before /emails (default: Resend's own).")
        var resendURL: String?
        @Option(help: "The sender's address.") var from: String
        @Option(help: "The recipients' addresses, with commas between them; :en behind one for English.")
        var to: String
        @OptionGroup var options: AdministrationOptions

        func validate() throws {
            guard (smtp == nil) != (resendKeyFile == nil) else {
                throw ValidationError("give either --smtp or --resend-key-file")
            }
            guard (user == nil) == (passwordFile == nil) else {
                throw ValidationError("--user and --password-file: give both or neither")
            }
            guard user == nil || smtp != nil else { throw ValidationError("--user: it goes with --smtp only") }
            guard resendURL == nil || resendKeyFile != nil else {
                throw ValidationError("--resend-url: it goes with --resend-key-file only")
            }
        }

        func run() async throws {
            let mail = try MailHeads(from: from, to: to)
            if let resendKeyFile {
                let key = try secret(from: resendKeyFile, option: "--resend-key-file")
                let base = resendURL ?? "https://api.resend.com"
                return try await ChannelSetting(resend: key, base: base, mail: mail).apply(options)
            }
            try await ChannelSetting(smtp: smtp ?? "", account: try account(), mail: mail).apply(options)
        }

        private func account() throws -> (user: String, password: Secret)? {
            guard let user, let passwordFile else { return nil }
            guard (1...200).contains(user.utf8.count), user.unicodeScalars.allSatisfy({ $0.value >= 0x20 }) else {
                throw CommandFailure(.usage, "--user: a name has 1 to 200 bytes and no control characters")
            }
            return (user, try secret(from: passwordFile, option: "--password-file"))
        }
    }

    struct Sentry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reports failed collections to Sentry, or to what takes the same reports.",
            discussion: "Example: finops channel set sentry --dsn-file dsn.txt")

        @Option(name: .customLong("dsn-file"), help: "File that holds the project's DSN; - for standard input.")
        var file: String
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            try await ChannelSetting(sentry: try secret(from: file, option: "--dsn-file")).apply(options)
        }
    }
}

extension GivenRecipient.Language: ExpressibleByArgument {}

/// - Throws: `CommandFailure` with `usage`, whose text holds nothing of the secret.
private func secret(from file: String, option: String) throws -> Secret {
    do { return try Secret.read(from: file) } catch { throw CommandFailure(.usage, "\(option): \(error)") }
}
