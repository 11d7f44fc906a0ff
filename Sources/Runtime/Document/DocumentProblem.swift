/// One mistake in a file a person wrote: where it is and what is wrong.
package struct DocumentProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its name as the message shows it.
    package var file: String
    /// From 1; nil when the mistake is not in one place.
    package var line: Int?
    /// What is wrong and, where it can be said, what it must be.
    package var message: String

    package init(file: String, line: Int?, _ message: String) {
        self.file = file
        self.line = line
        self.message = message
    }

    /// `config.yaml:3: …`, as editors jump to.
    package var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(message)" }
}

/// All mistakes of a file at once, in the order of its lines.
package struct DocumentProblems: ExitStatusProviding, Hashable, CustomStringConvertible {
    /// At least one.
    package let problems: [DocumentProblem]

    package init(_ problems: [DocumentProblem]) {
        self.problems = problems.sorted { ($0.line ?? 0) < ($1.line ?? 0) }
    }

    package var exitStatus: ExitStatus { .failure }
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// The known word that was probably meant: at most a third of its letters away, in all but the shortest two (a pair that
/// was swapped). Nil if none is near.
func nearest(to word: String, in known: some Sequence<String>) -> String? {
    let ranked = known.map { (word: $0, distance: editDistance(word, $0)) }
    guard let best = ranked.min(by: { ($0.distance, $0.word) < ($1.distance, $1.word) }) else { return nil }
    return best.distance <= max(best.word.count > 3 ? 2 : 1, best.word.count / 3) ? best.word : nil
}

/// Levenshtein's distance; the longest words here are keys of a configuration.
private func editDistance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let replaced = diagonal + (a == b ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}
