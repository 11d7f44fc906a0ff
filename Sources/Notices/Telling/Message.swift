import EventLog
import FinOps

/// A whole notice in words: what every channel tells, in the same order.
struct Message: Sendable {
    let words: any Words
    /// One per fact, the most urgent first.
    let passages: [Passage]
    /// How many facts there are besides.
    private let unlisted: Int
    /// What has to be said about the message itself.
    let notes: [String]
    /// When it was written, and the notification's id, by which a repeat is recognised.
    let colophon: String

    init(_ notice: Notice, language: NoticeLanguage, settings: NoticeSettings) {
        words = language.words
        let teller = Teller(words: words, settings: settings, destination: OutsideText.name(notice.destination))
        passages = notice.facts.map(teller.passage)
        unlisted = notice.unlisted
        notes =
            (notice.unlisted > 0 ? [words.unlisted(notice.unlisted)] : [])
            + (notice.heldBack > 0 ? [words.heldBack(notice.heldBack)] : [])
            + (notice.mayRepeat ? [words.mayRepeat] : [])
        colophon = words.colophon(
            sent: teller.moment(notice.at.seconds), notification: OutsideText.name(notice.id))
    }

    /// How many facts there are besides the first ones.
    func others(after count: Int) -> Int { passages.count + unlisted - count }

    /// The first line of the first passage, and how many more there are.
    func subject(within limit: Int, cost: (String) -> Int) -> String {
        guard let first = passages.first else { return words.label(.alert) }
        let count = others(after: 1)
        let others = count > 0 ? " " + words.others(count) : ""
        return first.headline.text(within: limit - cost(others), cost: cost) + others
    }
}
