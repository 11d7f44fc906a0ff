import EventLog
import FinOps

/// Puts facts into words: what stands in a passage is decided here, how it is said by `Words`, how it looks by the channels.
struct Teller: Sendable {
    let words: any Words
    let settings: NoticeSettings
    let destination: String

    func passage(_ fact: Notice.Fact) -> Passage {
        switch (fact.kind, fact.event) {
        case (.crossed, .thresholdCrossed(let event)): crossing(event)
        case (.cleared, .thresholdCleared(let event)): clearing(event)
        case (.collectionFailed, .runFailed(let event)): failure(event)
        case (.modelUnpriced, .modelUnpriced(let event)): unpriced(event)
        case (.conditionRaised, .conditionRaised(let event)): raised(event)
        case (.conditionEnded, .conditionEnded(let event)): ended(event, at: fact.recorded)
        case (.test, _): trial
        case (.canary, _): canary
        default: unreadable(fact)
        }
    }

    func row(_ caption: Caption, _ value: Phrase) -> Passage.Row {
        Passage.Row(caption: words.caption(caption), value: value)
    }

    func row(_ caption: Caption, _ value: String) -> Passage.Row { row(caption, Phrase(value)) }

    func headline(_ mark: String, _ label: Label, _ subjects: [String], _ figures: String? = nil) -> Headline {
        Headline(mark: mark, label: words.label(label), subjects: subjects.filter { !$0.isEmpty }, figures: figures)
    }

    /// In the zone the company works in.
    func moment(_ seconds: Int64) -> String {
        words.moment(ZonedMoment(Timestamp(seconds: seconds), zone: settings.zone))
    }

    private var trial: Passage {
        Passage(
            tone: .neutral, headline: headline("🧪", .test, [words.testSubject, destination]),
            sentences: [Phrase(words.test(destination))])
    }

    private var canary: Passage {
        Passage(
            tone: .good, headline: headline("🐤", .canary, [words.testSubject, destination]),
            sentences: [Phrase(words.canary)],
            commands: [Passage.Command(title: words.lookAtStages, text: "finops status")])
    }

    private func unreadable(_ fact: Notice.Fact) -> Passage {
        Passage(
            tone: .warning, headline: headline("⚠️", .alert, [fact.kind.rawValue]),
            sentences: [Phrase(words.unreadable(position: "\(fact.position.value)"))],
            commands: [Passage.Command(title: words.lookAtStages, text: "finops status")])
    }
}
