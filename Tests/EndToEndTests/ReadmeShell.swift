import FinOps
import Foundation
import JSON
import Runtime
import Testing

/// The README's own text: what its tests type is what its readers see.
enum Readme {
    private static let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The indented parts of a section, each as one text; those of its subsections are theirs.
    static func blocks(of title: String) throws -> [String] {
        let text = try String(contentsOf: project.appending(path: "README.md"), encoding: .utf8)
        let parts = text.components(separatedBy: "\n\(title)\n")
        try #require(parts.count == 2, "the README has no section \(title)")
        let section = parts[1].components(separatedBy: "\n### ")[0].components(separatedBy: "\n## ")[0]
        // The first one may stand right below the title.
        let paragraphs = section.drop { $0 == "\n" }.components(separatedBy: "\n\n")
        return paragraphs.reduce(into: [String]()) { blocks, paragraph in
            guard paragraph.hasPrefix("    ") else { return blocks.append("") }
            let lines = paragraph.split(separator: "\n").map { $0.dropFirst(4) }.joined(separator: "\n")
            if let last = blocks.last, !last.isEmpty {
                blocks[blocks.count - 1] += "\n\n" + lines
            } else {
                blocks.append(lines)
            }
        }.filter { !$0.isEmpty }
    }

    static func lines(of block: String) -> [String] {
        block.replacingOccurrences(of: "\\\n", with: " ").split(separator: "\n").map(String.init)
    }

    /// What a section has to type, from top to bottom.
    static func lines(of title: String, leaving isLeft: (String) -> Bool) throws -> [String] {
        try blocks(of: title).flatMap(lines(of:)).filter { !isLeft($0) }
    }

    static func withoutComment(_ line: String) -> String {
        line.components(separatedBy: " #").first?.trimmingCharacters(in: .whitespaces) ?? line
    }
}

/// Where somebody types what the README says, with files, ids and addresses of their own.
final class ReadmeShell {
    private let installation: Installation
    /// Where it is typed, and whose home that is.
    let folder: URL
    private let programs: String
    private var key = (id: "", text: "")

    init(_ installation: Installation) throws {
        self.installation = installation
        folder = installation.root.appending(path: "typed")
        programs = URL(filePath: try ProgramLocator.beside().path(of: "finops")).deletingLastPathComponent().path
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in [
            ("openai", "sk-proj-typed-0001"), ("anthropic", "sk-ant-typed-0001"), ("admin", Installation.adminKey),
        ] { try Data(text.utf8).write(to: folder.appending(path: "\(name)-key.txt")) }
    }

    /// - Returns: what it printed.
    @discardableResult
    func type(_ written: String) async throws -> String {
        // Whatever year it is read in, a key of the next one has not expired.
        let nextYear = Day(utc: wallTime()).civil.year + 1
        var line = written.replacingOccurrences(of: "key-01a2…", with: key.id)
            .replacingOccurrences(
                of: "--expires [0-9]{4}-", with: "--expires \(nextYear)-", options: .regularExpression)
        if line.hasPrefix("finops upstream set openai") || line.contains("upstream set anthropic")
            || line.hasPrefix("finops connect")
        {
            line = "\(Readme.withoutComment(line)) --base-url \(installation.address)"
        }
        if line.contains("--key-file -") { line = "echo sk-typed-azure-0001 | \(line)" }
        if line.contains("--as ID") {
            line = line.replacingOccurrences(of: "--as ID", with: "--as \(try await person("Lee"))")
        }
        if line.contains("--emergency") {
            // Another key and another provider are behind it, too: the section says what then follows, and with which code.
            line = Readme.withoutComment(line)
            line = "\(line) && exit 9 || test $? = 1; \(line) --yes && exit 9 || test $? = 1"
        }
        let said = try await run(line)
        if line.contains("key issue"), line.contains("--json") {
            let issued = try JSONValue.parse(said)
            key = (try #require(issued["id"]?.string), try #require(issued["key"]?.string))
        }
        return said
    }

    /// The id of somebody whom `finops person list` names.
    func person(_ name: String) async throws -> String {
        let people = try await installation.run("finops", "person", "list", "--json").expecting().json()
        return try #require(people.array?.first { $0["name"]?.string == name }?["id"]?.string)
    }

    /// Runs the application that the section shows, which only has the gateway's address and a key to fill in.
    func call(_ application: String, gateway: String) async throws {
        let script = folder.appending(path: "application.py")
        try application.replacingOccurrences(of: "http://127.0.0.1:8700", with: gateway)
            .replacingOccurrences(of: "fo-…", with: key.text).write(to: script, atomically: true, encoding: .utf8)
        let python = Self.python
        // The gateway learns of a new key within a moment.
        try await eventually("the application is answered") {
            do { _ = try await installation.said(by: python, [script.path]) } catch is Unexpected { return false }
            return true
        }
    }

    private func run(_ line: String) async throws -> String {
        try await installation.said(
            by: "/bin/sh",
            [
                "-ec", #"export FINOPS_HOME="$0" PATH="$1:$PATH" HOME="$2"; cd "$2"; eval "$3""#,
                installation.directory, programs, folder.path, line,
            ])
    }

    private static let python = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".build/test-tools/bin/python3").path
}
