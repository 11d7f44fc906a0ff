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
    /// Cost and limit; with them and the mark, the label may be left out.
    let figures: String?

    var text: String { text(subjects, isLabelled: true) }

    /// Without the label where mark and figures say the same.
    var short: String { text(subjects, isLabelled: figures == nil) }

    /// At most `limit` by what a character costs: the label gives way first, then the names.
    func text(within limit: Int, cost: (String) -> Int) -> String {
        if cost(text) <= limit { return text }
        if cost(short) <= limit { return short }
        let frame = text(subjects.map { _ in "" }, isLabelled: figures == nil)
        let share = (limit - cost(frame)) / max(1, subjects.count)
        let names = subjects.map { $0.cut(to: max(share, 0), cost: cost) }
        return text(names.filter { !$0.isEmpty }, isLabelled: figures == nil).cut(to: limit, cost: cost)
    }

    private func text(_ subjects: [String], isLabelled: Bool) -> String {
        mark + (isLabelled ? " [\(label)] " : " ") + (subjects + (figures.map { [$0] } ?? [])).joined(separator: " · ")
    }
}
