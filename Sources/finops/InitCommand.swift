import ArgumentParser
import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Vault

/// Makes a state directory, or what is missing of one.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes a state directory: configuration, pipeline, master key, prices. Again changes nothing.",
        discussion: """
            Example: finops init --dir ~/finops
            With the pipeline of a demo, the directory's clock stands at the demo's start until finops up runs it.
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let directory = try options.stateDirectory()
        var made: [String] = []
        if access(directory.path, F_OK) != 0 { made.append("state directory") }
        try directory.prepare()
        try checkMasterKey(of: directory)
        if try LocalMasterKey.create(at: directory.masterKey) { made.append("master key") }
        if try write(DefaultFiles.configuration, to: directory.configuration) { made.append("configuration") }
        if try write(DefaultFiles.pipeline, to: directory.pipeline) { made.append("pipeline") }
        if let pipeline = options.pipeline { try Topology.load(pipeline).setClock(in: directory) }
        made += try await AdministrationSession.run(options) { session in
            let outcome = try await PriceDesk.take(in: session, reason: "finops init") { shelf in
                PriceDiff.events(from: shelf.catalogue, to: .seed, reason: "finops init").filter { event in
                    // What was imported since then is not undone.
                    event.priceSubject.map { shelf.versions[.prices(provider: $0.provider)] == nil } ?? false
                }
            }
            return outcome.taken.isEmpty ? [] : ["price catalogue"]
        }
        try answer(made, directory).print(options)
        if !made.isEmpty, !options.quiet, !options.json { Output.message(DefaultFiles.nextSteps(directory)) }
    }

    private func answer(_ made: [String], _ directory: StateDirectory) -> Answer {
        let message =
            made.isEmpty
            ? "\(directory.path) is complete" : "made in \(directory.path): \(made.joined(separator: ", "))"
        return Answer(
            changed: !made.isEmpty, message,
            [.init("dir", .string(directory.path)), .init("made", .array(made.map(JSONValue.string)))])
    }

    /// A new master key beside secrets of an old one would make the loss of the old one look like damage.
    private func checkMasterKey(of directory: StateDirectory) throws {
        guard access(directory.masterKey, F_OK) != 0 else { return }
        let ids = try SecretStore.ids(in: directory.vault)
        guard ids.isEmpty else {
            throw CommandFailure(
                .failure, "the vault holds \(ids.count) secrets, but \(directory.masterKey) is gone",
                hint: "put the key back that was saved with the backup, or move \(directory.vault) away")
        }
    }

    /// - Returns: whether the file was made now.
    private func write(_ text: String, to path: String) throws -> Bool {
        if access(path, F_OK) == 0 { return false }
        try PrivateFile.prepare(Array(text.utf8), for: path).commit()
        return true
    }
}
