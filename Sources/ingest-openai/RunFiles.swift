import EventLog
import FinOps
import Foundation
import JSON
import Runtime
import Stages

/// The ledger of runs as files of the state directory: one for each run under way, locked by its process. The lock ends
/// with the process however it ends, the file stays and says which run that was.
struct RunFiles: RunLedger {
    let directory: StateDirectory
    /// Tells whoever runs the program what a person should know.
    let warn: @Sendable (String) -> Void
    private static let damagedSuffix = ".damaged"

    func enter(_ run: RunEntry) throws -> any EnteredRun {
        try makePrivateDirectory(directory.collections)
        let path = directory.collections + "/\(run.run)"
        // Locked before it has its name, so that nobody takes it for abandoned.
        let temporary = directory.collections + "/.\(run.run)"
        guard let lock = try FileLock(path: temporary) else {
            throw SystemError("lock \(temporary)", errno: EWOULDBLOCK)
        }
        let file = try FileHandle(forWritingTo: URL(filePath: temporary))
        try file.write(contentsOf: Data(run.document.text.utf8))
        try file.close()
        guard rename(temporary, path) == 0 else { throw SystemError("write \(path)") }
        return RunFile(entry: run, path: path, lock: lock)
    }

    func abandoned() throws -> [any EnteredRun] {
        guard FileManager.default.fileExists(atPath: directory.collections) else { return [] }
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.collections)
        return try names.sorted().compactMap { name in
            guard !name.hasPrefix("."), !name.hasSuffix(Self.damagedSuffix) else { return nil }
            let path = directory.collections + "/" + name
            guard let lock = try FileLock(path: path) else { return nil }
            let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
            // It ended between our two looks, and the second one made it anew.
            if text.isEmpty {
                unlink(path)
                return nil
            }
            // What cannot be parsed is damaged, whatever the reason.
            guard let document = try? JSONValue.parse(text), let entry = RunEntry(document) else {
                try setAside(path)
                return nil
            }
            return RunFile(entry: entry, path: path, lock: lock)
        }
    }

    /// It may be the only word of a run whose record has no end: kept for a person, out of the way of the next runs.
    private func setAside(_ path: String) throws {
        guard rename(path, path + Self.damagedSuffix) == 0 else { throw SystemError("set aside \(path)") }
        warn("\(path) cannot be read and is kept as \(path)\(Self.damagedSuffix): the run it names may have no end")
    }
}

private struct RunFile: EnteredRun {
    let entry: RunEntry
    let path: String
    let lock: FileLock

    func remove() throws {
        defer { withExtendedLifetime(lock) {} }
        guard unlink(path) == 0 || errno == ENOENT else { throw SystemError("remove \(path)") }
    }
}

extension RunEntry {
    fileprivate var document: JSONValue {
        [
            "run": .string(run.description), "provider": .string(account.provider), "account": .string(account.name),
            "key_mask": .string(account.keyMask), "kind": .string(kind.rawValue),
            "from": .string(days.lowerBound.description), "to": .string(days.upperBound.description),
            "stream": .string(stream.text),
        ]
    }

    fileprivate init?(_ document: JSONValue) {
        func text(_ name: String) -> String? { document[name]?.string }
        guard let run = text("run").flatMap({ EventID($0) }), let kind = text("kind").flatMap(CollectionKind.init),
            let from = text("from").flatMap({ Day($0) }), let to = text("to").flatMap({ Day($0) }), from <= to,
            let provider = text("provider"), let account = text("account"), let stream = text("stream")
        else { return nil }
        self.init(
            account: CollectedAccount(provider: provider, name: account, keyMask: text("key_mask") ?? ""), kind: kind,
            days: from...to, run: run, stream: StreamName(stream))
    }
}
