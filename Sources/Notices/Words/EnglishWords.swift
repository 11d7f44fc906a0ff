import FinOps

/// English, complete beside Korean.
struct EnglishWords: Words {
    let tag = "en"
    let organisation = "Whole organisation"
    let details = "Details"

    func label(_ label: Label) -> String {
        switch label {
        case .exceeded: "Threshold exceeded"
        case .warned: "Threshold warning"
        case .corrected: "Correction"
        case .collectionFailed: "Collection failed"
        case .modelUnpriced: "Unpriced model"
        case .sourceSilent: "Source silent"
        case .evaluationStalled: "Evaluation stalled"
        case .projectionLagging: "Answers lag"
        case .costsUnexplained: "Costs unexplained"
        case .usageNotKept: "Calls not recorded"
        case .usageLost: "Call records lost"
        case .otherCondition: "Condition"
        case .recovered: "Recovered"
        case .test: "Test"
        case .canary: "Daily check"
        case .alert: "Alert"
        }
    }

    func caption(_ caption: Caption) -> String {
        switch caption {
        case .window: "Window"
        case .level: "Level"
        case .asOf: "As of"
        case .change: "Change"
        case .cause: "Top cause"
        case .forecast: "Forecast"
        case .days: "Days"
        case .account: "Account"
        case .key: "Key"
        case .run: "Run"
        case .error: "Error"
        case .recorded: "Recorded"
        case .next: "What next"
        case .model: "Model"
        case .reason: "Reason"
        case .since: "Since"
        case .detail: "Detail"
        }
    }

    // MARK: Time

    private static let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]

    private func weekday(_ day: Day) -> String { Self.weekdays[day.weekday - 1] }

    func day(_ day: Day) -> String {
        "\(weekday(day)) \(day.civil.day) \(Self.months[day.civil.month - 1]) \(day.civil.year)"
    }

    func shortDay(_ day: Day) -> String {
        "\(weekday(day)) \(day.civil.day) \(Self.months[day.civil.month - 1].prefix(3))"
    }

    func days(from first: Day, through last: Day) -> String {
        if first == last { return day(first) }
        if first.civil.year != last.civil.year { return "\(day(first)) – \(day(last))" }
        if first.civil.month != last.civil.month {
            return "\(weekday(first)) \(first.civil.day) \(Self.months[first.civil.month - 1]) – \(day(last))"
        }
        return "\(weekday(first)) \(first.civil.day) – \(day(last))"
    }

    func moment(_ moment: ZonedMoment) -> String { "\(day(moment.day)), \(moment.clock) (\(moment.offset))" }

    func window(_ span: WindowSpan) -> String {
        switch span.kind {
        case .day: "the day \(day(span.firstDay)) · \(span.zone) (\(span.offset))"
        case .week: "the week \(days(from: span.firstDay, through: span.lastDay)) · \(span.zone) (\(span.offset))"
        }
    }

    func shortWindow(_ span: WindowSpan) -> String {
        switch span.kind {
        case .day: shortDay(span.firstDay)
        case .week: "week of \(shortDay(span.firstDay))"
        }
    }

    private func before(_ kind: WindowKind) -> String {
        switch kind {
        case .day: "the day before"
        case .week: "the week before"
        }
    }

    // MARK: Crossings and clearings

    func level(_ level: UInt32, limit: String) -> String { "\(level) % of the limit of \(limit) reached" }

    func asOf(_ moment: String?, basis: CostBasis, position: String) -> String {
        let words =
            switch basis {
            case .metered: "metered (usage × price list)"
            case .billed: "billed"
            case .estimated: "estimated"
            case .mixed: "partly billed, partly metered"
            case .other(let word): word
            }
        let known = moment.map { "usage known until \($0) · " } ?? ""
        return "\(known)\(words) · log position \(position)"
    }

    func change(_ change: ComparedCost, _ kind: WindowKind) -> String {
        switch change {
        case .nothingBefore: "no cost by the same point of \(before(kind))"
        case .same(let cost): "the same as by this point of \(before(kind)) (\(cost))"
        case .changed(let previous, let difference, let share):
            "\(difference)" + (share.map { " (\($0))" } ?? "")
                + " against \(previous) by the same point of \(before(kind))"
        }
    }

    func cause(_ consumer: Phrase, cost: String, growth: String, _ kind: WindowKind) -> Phrase {
        "\(consumer): \(cost), \(growth) against \(before(kind))"
    }

    func noGrowth(_ kind: WindowKind) -> String { "no key costs more than \(before(kind))" }

    func consumer(key: String?, model: String?, account: String) -> Phrase {
        let key: Phrase = key.map { "key \(code: $0)" } ?? "key unknown"
        let model: Phrase = model.map { "model \(code: $0)" } ?? "model unknown"
        return "\(key) · \(model) (\(account))"
    }

    func forecast(_ cost: String, share: String?, _ kind: WindowKind) -> String {
        "at this pace \(cost) by the end of the \(kind.rawValue)" + (share.map { " (\($0) of the limit)" } ?? "")
    }

    let disableKey = "Disable this key at once (every application that uses it will stop)"

    func correction(_ clearing: ClearingInWords) -> String {
        let window = clearing.window.map { " (\($0))" } ?? ""
        let told = "The earlier alert of \(clearing.subject) at \(clearing.level) %\(window) is corrected: "
        let share =
            clearing.share.map { "\($0) of the limit of \(clearing.limit)" } ?? "with a limit of \(clearing.limit)"
        return switch clearing.reason {
        case .cost: told + "the cost was counted again and is now \(clearing.cost), \(share)."
        case .limit: told + "the limit has changed, and the cost of \(clearing.cost) is now \(share)."
        case .removed: told + "the threshold was removed. The cost is now \(clearing.cost)."
        case .zone(let zone):
            told
                + "the threshold's time zone has changed, and its days and weeks are judged anew. This one, of \(zone), has now cost \(clearing.cost)."
        }
    }

    // MARK: Collections

    func runKind(_ kind: String) -> String {
        switch kind {
        case "daily": "the daily collection"
        case "poll": "the polling of the running day"
        case "once": "a collection by hand"
        case "backfill": "a backfill"
        default: kind
        }
    }

    func alreadyRecorded(recorded: Int64, restated: Int64) -> String {
        "\(recorded) new and \(restated) restated \(recorded + restated == 1 ? "row" : "rows") before it failed"
    }

    func nextAfterFailure(isRetriable: Bool) -> String {
        isRetriable
            ? "The error may pass. The next run reads the missing days again, and nothing that is recorded counts twice."
            : "The error will come again until its cause is mended. Then collect again with the command below; nothing that is recorded counts twice."
    }

    let findCause = "Find the cause"
    let connectAgain = "Connect again with a new key"
    let collectAgain = "Collect the missing days again"

    // MARK: Models without a price

    func unpriced(_ model: String) -> String {
        "\(model) is not in the price list, so its cost could not be calculated. It does not count as zero but shows as “unpriced”; once a price is imported, the cost is calculated backwards."
    }

    let utcDay = "UTC"
    let importPrices = "Import prices"

    // MARK: Conditions

    func condition(_ kind: Label, _ subject: String, since: String) -> String {
        switch kind {
        case .sourceSilent: "Nothing has come from \(subject) since \(since)."
        case .evaluationStalled: "\(subject) has not answered or not moved on since \(since)."
        case .projectionLagging: "\(subject) has been behind since \(since)."
        case .costsUnexplained: "More of the costs of \(subject) is unexplained than may be."
        case .usageNotKept: "The gateway \(subject) has not been able to record calls since \(since)."
        case .usageLost: "Records of calls that the gateway \(subject) had kept are not on its disk any more."
        default: "Something has been wrong with \(subject) since \(since)."
        }
    }

    func consequence(_ kind: Label) -> String {
        switch kind {
        case .sourceSilent: "What this source has cost since is in no total and counts towards no threshold."
        case .evaluationStalled: "Meanwhile no alert goes out when a threshold is crossed."
        case .projectionLagging: "Answers and reports may be out of date."
        case .costsUnexplained: "Calls, usage and bill of that day differ, and their quantities do not tell why."
        case .usageNotKept:
            "As configured, calls are let through with their records in memory, which a crash would lose, or are refused."
        case .usageLost: "What these calls cost is in no total until the provider tells their usage."
        default: "Look for the cause."
        }
    }

    func conditionEnded(_ kind: Label, _ subject: String, since: String, until: String) -> String {
        "“\(label(kind))”, which began \(since), ended \(until): \(subject)."
    }

    let lookAtStages = "Look at the stages"
    let lookInside = "Examine the installation"
    let seeWhatDiffers = "See what differs"

    // MARK: Tests

    let testSubject = "trial of the alert path"

    func test(_ destination: String) -> String {
        "A message sent to \(destination) as a test. If you read this, the whole path of alerts to this place works."
    }

    let canary = "The daily message that says that alerts arrive. On a day without it, examine the path of alerts."

    func unreadable(position: String) -> String {
        "The event at log position \(position) could not be put into words. The program may be out of date."
    }

    // MARK: The message as a whole

    func others(_ count: Int) -> String { "and \(count) more" }
    func othersTitle(_ count: Int) -> String { "\(count) more" }

    func heldBack(_ count: Int) -> String {
        "\(count) earlier \(count == 1 ? "alert" : "alerts") about the same subjects \(count == 1 ? "was" : "were") held back; what stands above is the newest state of each."
    }

    func unlisted(_ count: Int) -> String {
        "\(count) of them \(count == 1 ? "has" : "have") no line here for want of room: finops alert list shows every alert that stands."
    }

    let mayRepeat = "This may be a repeat: it is not known whether an earlier attempt arrived."
    func colophon(sent: String, notification: String) -> String { "Written \(sent) · notification \(notification)" }
    let whyThisMail =
        "Sent to an address of FinOps' alert channel. Administrators change who receives it with finops channel."
}
