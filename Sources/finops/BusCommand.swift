import ArgumentParser
import Foundation
import JSON
import Messaging
import Runtime
import Vault

/// The keys with which programs on other machines reach the log.
struct BusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bus", abstract: "Makes the key of this machine, and lets keys of others in.",
        discussion: """
            Without tcp:// endpoints in its pipeline a directory needs none of this. On the machine of the log:
              finops bus key                              its public key goes into the other machine's pipeline.yaml
              finops bus allow other.pub --append usage.recorded,usage.restated
            On the other machine:
              finops bus key                              its public key is the other.pub above
            """,
        subcommands: [Key.self, Allow.self])

    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes this machine's key pair once, and prints the public key.",
            discussion: """
                The secret key stays in keys/bus.key (mode 600) and is never shown; the public one lies beside it, in \
                keys/bus.pub. Again changes nothing.
                Example: finops bus key --dir D
                """)

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let isNew = access(directory.busKey, F_OK) != 0
            if isNew {
                let pair = try BusKeys.generate()
                try PrivateFile.prepare(Array((pair.secretKey + "\n").utf8), for: directory.busKey).commit()
            }
            guard let publicKey = BusKeys.publicKey(ofSecret: try readPrivateKey(directory.busKey)) else {
                throw CommandFailure(
                    .failure, "\(directory.busKey) does not hold a key",
                    hint: "put the right one back, or remove it and run this again")
            }
            try writeFileAtomically(directory.busPublicKey, publicKey + "\n")
            if options.json {
                let document: JSONValue = ["changed": .bool(isNew), "public_key": .string(publicKey)]
                try Output.line(document.text)
            } else {
                try Output.line(publicKey)
            }
        }
    }

    struct Allow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a key read the log over the network, and append the event types you name.",
            discussion: """
                What was said of a key before is replaced. event-log reads the list when it starts.
                Example: finops bus allow other.pub --append usage.recorded,usage.restated,bill.recorded
                """)

        @Argument(help: "File with the public key, as `finops bus key` printed it on the other machine.") var file:
            String
        @Option(help: "Event types it may append, with commas; * for all; none if left out.") var append: String?
        @Option(help: "Producers it may be, with commas; any if left out.") var producers: String?
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let directory = try options.initialisedDirectory()
            let key = try key()
            let line =
                ([key]
                + [("append", append), ("producers", producers)].compactMap { name, words in
                    words.map { "\(name)=\($0)" }
                }).joined(separator: " ")
            let old =
                access(directory.busAllowList, F_OK) == 0
                ? try String(contentsOfFile: directory.busAllowList, encoding: .utf8) : ""
            var lines = old.split(separator: "\n").map(String.init)
            if let known = lines.firstIndex(where: { $0.split(separator: " ").first == key[...] }) {
                lines[known] = line
            } else {
                lines.append(line)
            }
            let text = lines.map { $0 + "\n" }.joined()
            do { _ = try AccessList(text: text) } catch { throw CommandFailure(.usage, "\(error)") }
            if text != old { try writeFileAtomically(directory.busAllowList, text) }
            try Answer(
                changed: text != old,
                "\(key) may read the log over the network and append \(append ?? "nothing"); it holds once event-log starts again",
                [.init("public_key", .string(key)), .init("append", JSONValue(append))]
            ).print(options)
        }

        private static let keyFileBytes = 1_024

        private func key() throws -> String {
            let text = String(decoding: try givenFile(file, limit: Self.keyFileBytes), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard BusKeys.isKey(text) else {
                throw CommandFailure(
                    .usage, "\(file) does not hold a public key of 40 characters",
                    hint: "print it on the other machine with: finops bus key")
            }
            return text
        }
    }
}
