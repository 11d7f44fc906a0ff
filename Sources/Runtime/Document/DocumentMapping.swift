import Yams

/// One mapping of a YAML document, read strictly: what is missing, of the wrong kind or unknown is collected with its
/// line, and reading goes on, so that all mistakes are told at once.
struct DocumentMapping {
    let file: String
    /// How the mapping is called in messages, such as `processes[2]`; empty for the document itself.
    let name: String
    let line: Int?
    let members: [(key: String, line: Int?, value: Node)]
    private(set) var asked: [String] = []
    private(set) var problems: [DocumentProblem] = []

    init(file: String, name: String, node: Node, known: String = "a mapping") {
        self.file = file
        self.name = name
        line = node.mark?.line
        guard case .mapping(let mapping) = node else {
            members = []
            let subject = name.isEmpty ? "the document" : name
            problems = [DocumentProblem(file: file, line: node.mark?.line, "\(subject) must be \(known)")]
            return
        }
        members = mapping.map { ($0.key.string ?? "", $0.key.mark?.line, $0.value) }
    }

    mutating func report(_ message: String, line: Int?) {
        problems.append(DocumentProblem(file: file, line: line, message))
    }

    mutating func adopt(_ others: [DocumentProblem]) { problems += others }

    /// The value under a key and its line; nil if it is missing or null.
    mutating func node(_ key: String) -> Node? {
        asked.append(key)
        guard let value = members.last(where: { $0.key == key })?.value else { return nil }
        if case .scalar(let scalar) = value, scalar.style == .plain, ["", "~", "null"].contains(scalar.string) {
            return nil
        }
        return value
    }

    /// The text of a scalar, however it is quoted: `09:00` and `1.10` stay what was written.
    mutating func text(_ key: String) -> (value: String, line: Int?)? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node else {
            report("\(path(key)) must be a single value", line: node.mark?.line)
            return nil
        }
        return (scalar.string, node.mark?.line)
    }

    mutating func requiredText(_ key: String) -> String {
        if let found = text(key) { return found.value }
        if members.last(where: { $0.key == key }) == nil { report("\(path(key)) is missing", line: line) }
        return ""
    }

    mutating func flag(_ key: String) -> Bool {
        guard let (value, line) = text(key) else { return false }
        switch value {
        case "true", "yes": return true
        case "false", "no": return false
        default: report("\(path(key)) must be true or false, not \"\(shown(value))\"", line: line)
        }
        return false
    }

    mutating func list(_ key: String) -> [Node] {
        guard let node = node(key) else { return [] }
        guard case .sequence(let sequence) = node else {
            report("\(path(key)) must be a list", line: node.mark?.line)
            return []
        }
        return Array(sequence)
    }

    mutating func texts(_ key: String) -> [String] {
        list(key).compactMap { node in
            if case .scalar(let scalar) = node { return scalar.string }
            report("\(path(key)) must be a list of single values", line: node.mark?.line)
            return nil
        }
    }

    mutating func mapping(_ key: String) -> DocumentMapping? {
        node(key).map { DocumentMapping(file: file, name: path(key), node: $0) }
    }

    mutating func mappings(_ key: String) -> [DocumentMapping] {
        list(key).enumerated().map { index, node in
            DocumentMapping(file: file, name: "\(path(key))[\(index)]", node: node)
        }
    }

    /// A mapping of names to single values, such as an environment.
    mutating func dictionary(_ key: String) -> [String: String] {
        guard let inner = mapping(key) else { return [:] }
        adopt(inner.problems)
        var values: [String: String] = [:]
        for member in inner.members {
            guard case .scalar(let scalar) = member.value else {
                report("\(path(key)).\(member.key) must be a single value", line: member.line)
                continue
            }
            values[member.key] = scalar.string
        }
        return values
    }

    /// Reports the keys nobody asked for, each with the known one it resembles.
    mutating func refuseUnknownKeys() {
        for member in members where !asked.contains(member.key) {
            let near = nearest(to: member.key, in: asked).map { "; did you mean \"\($0)\"?" } ?? ""
            report("unknown key \"\(path(shown(member.key)))\"\(near)", line: member.line)
        }
    }

    func path(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }
}

/// Reads a YAML document; an empty one is an empty mapping.
/// - Throws: `DocumentProblems` with the line where it stops being YAML.
func composeDocument(_ text: String, file: String) throws(DocumentProblems) -> DocumentMapping {
    do {
        // Every scalar is read as text: the rules that guess types cost eight million instructions to set up.
        let node = try Yams.compose(yaml: text, .basic) ?? Node([(Node, Node)](), Tag(.implicit, .basic))
        return DocumentMapping(file: file, name: "", node: node)
    } catch let error as YamlError {
        throw DocumentProblems([problem(error, file: file)])
    } catch {
        throw DocumentProblems([DocumentProblem(file: file, line: nil, "not YAML: \(error)")])
    }
}

private func problem(_ error: YamlError, file: String) -> DocumentProblem {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        DocumentProblem(file: file, line: mark.line, "not YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
        DocumentProblem(
            file: file, line: context.mark.line,
            "the same key twice: \(duplicates.map { "\"\(shown($0))\"" }.joined(separator: ", "))")
    default: DocumentProblem(file: file, line: nil, "not YAML")  // The error's own words may quote the file.
    }
}
