import EventLog
import FinOps

/// A whole notice in words: what every channel tells, in the same order.
struct Message: Sendable {
    let words: any Words
    /// One per fact, the most urgent first.
    let passages: [Passage]
    /// What has to be said about the message itself.
    let notes: [String]
    /// When it was written, and the notification's id, by which a repeat is recognised.
    let colophon: String

    init(_ notice: Notice, language: NoticeLanguage, settings: NoticeSettings) {
        words = language.words
        let teller = Teller(words: words, settings: settings, destination: OutsideText.name(notice.destination))
        passages = notice.facts.map(teller.passage)
        notes =
            (notice.heldBack > 0 ? [words.heldBack(notice.heldBack)] : [])
            + (notice.mayRepeat ? [words.mayRepeat] : [])
        colophon = words.colophon(
            sent: teller.moment(notice.at.seconds), notification: OutsideText.name(notice.id))
    }

    /// The first line of the first passage, and how many more there are.
    func subject(within limit: Int, cost: (String) -> Int) -> String {
        guard let first = passages.first else { return words.label(.alert) }
        let others = passages.count > 1 ? " " + words.others(passages.count - 1) : ""
        return first.headline.text(within: limit - cost(others), cost: cost) + others
    }
}
