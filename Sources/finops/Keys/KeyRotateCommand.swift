import ArgumentParser
import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Vault

extension KeyCommand {
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a key a new value, and shows it this once; the old one is accepted for a while.",
            discussion: """
                Of a key that is rotated again meanwhile, the value before the old one is accepted no more.
                Example: finops key rotate key-0192f3a4… --grace 24h
                """)

        @Argument(help: "The key's id.") var id: String
        @Option(help: "How long the old value is accepted: 0s, 90m, 24h, 7d.") var grace = "24h"
        @OptionGroup var acting: ActingOptions
        @OptionGroup var options: AdministrationOptions

        func run() async throws {
            guard let seconds = DurationText.seconds(grace) else {
                throw CommandFailure(.usage, "--grace: \"\(grace)\" is no span; write it like 0s, 90m, 24h or 7d")
            }
            let directory = try options.global.initialisedDirectory()
            let vault = try SecretStore.local(of: directory)
            try await AdministrationSession.run(options.global, as: acting) { session in
                var rotated = WireKeyRotated()
                rotated.key = id
                rotated.oldValidUntil = session.now.seconds + seconds
                rotated.reason = options.reason
                // Asked before anything is made for it.
                let known = try await session.store.fold(.key(id), with: KeyRegister.self).state
                _ = try KeyRegister.decide(session.command(id, .rotate(rotated)), known)
                let key = try await NewKey.make(in: session, vault, directory, reason: options.reason)
                rotated.prefix = key.prefix
                rotated.hash = Data(key.hash.bytes)
                _ = try await session.decide(KeyRegister.self, on: .key(id), session.command(id, .rotate(rotated)))
                let until = Timestamp(seconds: rotated.oldValidUntil).rfc3339Seconds
                // At once: what may fail from here on must not take the key with it.
                try key.show(
                    "\(id) has a new value, the old one is accepted until \(until)",
                    [.init("id", .string(id)), .init("old_valid_until", .string(until))], options.global)
            }
        }
    }
}
