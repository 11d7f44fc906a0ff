/// What is told about one fact, in the words of a language and for no channel in particular.
struct Passage: Hashable, Sendable {
    /// How urgent it looks.
    enum Tone: Hashable, Sendable {
        case critical
        case warning
        case good
        case neutral
    }

    /// A value with what it is.
    struct Row: Hashable, Sendable {
        let caption: String
        let value: Phrase
    }

    struct Link: Hashable, Sendable {
        let title: String
        let url: String
    }

    /// Something to type in, as it is.
    struct Command: Hashable, Sendable {
        let title: String
        let text: String
    }

    var tone: Tone
    var headline: Headline
    /// What the headline alone leaves open, for where nothing else is told: the window.
    var aside: String?
    var sentences: [Phrase] = []
    var rows: [Row] = []
    var link: Link?
    var commands: [Command] = []
}

/// The first line: `🔴 [임계값 초과] 검색팀 · search-api · $12.34 / $10.00 (123.4 %)`.
struct Headline: Hashable, Sendable {
    let mark: String
    let label: String
    /// Whom it is about: team and project, account, model.
    let subjects: [String]
    /// The figures, or what stands in their place; never cut before the names are.
    let figures: String?

    var text: String { text(subjects) }

    /// At most `limit` by what a character costs: the names give way first.
    func text(within limit: Int, cost: (String) -> Int) -> String {
        if cost(text) <= limit { return text }
        let frame = text(subjects.map { _ in "" })
        let share = (limit - cost(frame)) / max(1, subjects.count)
        return text(subjects.map { $0.cut(to: max(share, 8), cost: cost) }).cut(to: limit, cost: cost)
    }

    private func text(_ subjects: [String]) -> String {
        "\(mark) [\(label)] " + (subjects + (figures.map { [$0] } ?? [])).joined(separator: " · ")
    }
}
