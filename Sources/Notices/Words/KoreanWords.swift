import FinOps

/// Korean, the language notices are written in first.
struct KoreanWords: Words {
    let tag = "ko"
    let organisation = "조직 전체"
    let details = "상세 보기"

    func label(_ label: Label) -> String {
        switch label {
        case .exceeded: "임계값 초과"
        case .warned: "임계값 경고"
        case .corrected: "정정"
        case .collectionFailed: "수집 실패"
        case .modelUnpriced: "미책정 모델"
        case .sourceSilent: "공급원 무응답"
        case .evaluationStalled: "평가 멈춤"
        case .projectionLagging: "조회 지연"
        case .costsUnexplained: "비용 차이"
        case .usageNotKept: "호출 기록 불가"
        case .usageLost: "호출 기록 유실"
        case .otherCondition: "이상 상태"
        case .recovered: "복구"
        case .test: "테스트"
        case .canary: "정기 점검"
        case .alert: "알림"
        }
    }

    func caption(_ caption: Caption) -> String {
        switch caption {
        case .window: "기간"
        case .level: "단계"
        case .asOf: "기준"
        case .change: "변화"
        case .cause: "주요 원인"
        case .forecast: "예상"
        case .days: "날짜"
        case .account: "계정"
        case .key: "키"
        case .run: "실행"
        case .error: "오류"
        case .recorded: "기록"
        case .next: "다음"
        case .model: "모델"
        case .reason: "사유"
        case .since: "언제부터"
        case .detail: "내용"
        }
    }

    // MARK: Time

    private static let weekdays = ["월", "화", "수", "목", "금", "토", "일"]

    func day(_ day: Day) -> String { "\(day.civil.year)년 \(shortDay(day))" }

    func shortDay(_ day: Day) -> String {
        "\(day.civil.month)월 \(day.civil.day)일(\(Self.weekdays[day.weekday - 1]))"
    }

    func days(from first: Day, through last: Day) -> String {
        if first == last { return day(first) }
        if first.civil.year != last.civil.year { return "\(day(first)) – \(day(last))" }
        if first.civil.month != last.civil.month { return "\(day(first)) – \(shortDay(last))" }
        return "\(day(first)) – \(last.civil.day)일(\(Self.weekdays[last.weekday - 1]))"
    }

    func moment(_ moment: ZonedMoment) -> String { "\(day(moment.day)) \(moment.clock) (\(moment.offset))" }

    func window(_ span: WindowSpan) -> String {
        switch span.kind {
        case .day: "\(day(span.firstDay)) 하루 · \(span.zone) (\(span.offset))"
        case .week:
            "\(days(from: span.firstDay, through: span.lastDay)) 한 주 · \(span.zone) (\(span.offset))"
        }
    }

    func shortWindow(_ span: WindowSpan) -> String {
        switch span.kind {
        case .day: shortDay(span.firstDay)
        case .week: "\(shortDay(span.firstDay)) 주"
        }
    }

    private func before(_ kind: WindowKind) -> String {
        switch kind {
        case .day: "전날"
        case .week: "전주"
        }
    }

    // MARK: Crossings and clearings

    func level(_ level: UInt32, limit: String) -> String { "한도 \(limit)의 \(level) %에 도달" }

    func asOf(_ moment: String?, basis: CostBasis, position: String) -> String {
        let words =
            switch basis {
            case .metered: "계측 (사용량 × 단가표)"
            case .billed: "청구서"
            case .estimated: "추정"
            case .mixed: "청구서와 계측 혼합"
            case .other(let word): word
            }
        let known = moment.map { "\($0)까지 알려진 사용량 · " } ?? ""
        return "\(known)\(words) · 로그 위치 \(position)"
    }

    func change(_ change: ComparedCost, _ kind: WindowKind) -> String {
        switch change {
        case .nothingBefore: "\(before(kind)) 같은 시점까지는 비용 없음"
        case .same(let cost): "\(before(kind)) 같은 시점과 같음 (\(cost))"
        case .changed(let previous, let difference, let share):
            "\(before(kind)) 같은 시점 \(previous) 대비 \(difference)" + (share.map { " (\($0))" } ?? "")
        }
    }

    func cause(_ consumer: Phrase, cost: String, growth: String, _ kind: WindowKind) -> Phrase {
        "\(consumer): \(cost), \(before(kind)) 대비 \(growth)"
    }

    func noGrowth(_ kind: WindowKind) -> String { "\(before(kind))보다 비용이 늘어난 키는 없음" }

    func consumer(key: String?, model: String?, account: String) -> Phrase {
        let key: Phrase = key.map { "키 \(code: $0)" } ?? "키 정보 없음"
        let model: Phrase = model.map { "모델 \(code: $0)" } ?? "모델 정보 없음"
        return "\(key) · \(model) (\(account))"
    }

    func forecast(_ cost: String, share: String?, _ kind: WindowKind) -> String {
        let end =
            switch kind {
            case .day: "하루가"
            case .week: "한 주가"
            }
        return "이 추세면 \(end) 끝날 때 \(cost)" + (share.map { " (한도의 \($0))" } ?? "")
    }

    let disableKey = "이 키를 바로 중지하기 (이 키를 쓰는 모든 애플리케이션이 멈춥니다)"

    func correction(_ clearing: ClearingInWords) -> String {
        let alert = clearing.level < 100 ? "경고" : "초과"
        let window = clearing.window.map { "\($0) " } ?? ""
        let told = "앞서 알린 \(window)\(clearing.subject)의 \(clearing.level) % 임계값 \(alert)는 정정되었습니다: "
        let share = clearing.share.map { "한도 \(clearing.limit)의 \($0)" } ?? "한도 \(clearing.limit)"
        return switch clearing.reason {
        case .cost: told + "비용이 다시 집계되어 지금은 \(clearing.cost), \(share)입니다."
        case .limit: told + "한도가 바뀌어, 지금 비용은 \(clearing.cost), \(share)입니다."
        case .removed: told + "임계값이 삭제되었습니다. 지금 비용은 \(clearing.cost)입니다."
        case .zone(let zone):
            told
                + "임계값의 시간대가 바뀌어 새 시간대의 날과 주로 다시 판단합니다. \(zone) 기준이던 이 기간의 비용은 지금 \(clearing.cost)입니다."
        }
    }

    // MARK: Collections

    func runKind(_ kind: String) -> String {
        switch kind {
        case "daily": "매일 정기 수집"
        case "poll": "당일 수시 수집"
        case "once": "수동 수집"
        case "backfill": "소급 수집"
        default: kind
        }
    }

    func alreadyRecorded(recorded: Int64, restated: Int64) -> String {
        "실패하기 전에 새 행 \(recorded)건, 정정 \(restated)건"
    }

    func nextAfterFailure(isRetriable: Bool) -> String {
        isRetriable
            ? "지나갈 수 있는 오류입니다. 다음 실행이 빠진 날을 다시 읽으며, 이미 기록된 것은 두 번 세지 않습니다."
            : "원인을 고치기 전에는 같은 오류가 되풀이됩니다. 고친 뒤 아래 명령으로 다시 수집하면, 이미 기록된 것은 두 번 세지 않습니다."
    }

    let findCause = "원인 확인하기"
    let connectAgain = "새 키로 다시 연결하기"
    let collectAgain = "빠진 날 다시 수집하기"

    // MARK: Models without a price

    func unpriced(_ model: String) -> String {
        "단가표에 없어 \(model)\(KoreanParticle.object.after(model)) 쓴 비용을 계산하지 못했습니다. 0원으로 세지 않고 ‘미책정’으로 표시하며, 단가를 넣으면 소급해 계산합니다."
    }

    let utcDay = "UTC 기준"
    let importPrices = "단가 넣기"

    // MARK: Conditions

    func condition(_ kind: Label, _ subject: String, since: String) -> String {
        switch kind {
        case .sourceSilent: "\(subject)\(KoreanParticle.topic.after(subject)) \(since) 이후로 아무것도 보내지 않았습니다."
        case .evaluationStalled:
            "\(subject)\(KoreanParticle.subject.after(subject)) \(since)부터 응답하지 않거나 앞으로 나아가지 않습니다."
        case .projectionLagging: "\(subject)\(KoreanParticle.subject.after(subject)) \(since)부터 밀려 있습니다."
        case .costsUnexplained: "\(subject): 비용 차이 가운데 설명되지 않는 부분이 허용 한도보다 큽니다."
        case .usageNotKept: "게이트웨이 \(subject): \(since)부터 호출 기록을 디스크에 남기지 못하고 있습니다."
        case .usageLost: "게이트웨이 \(subject): 디스크에 남겼던 호출 기록 가운데 일부가 사라졌습니다."
        default: "\(subject): \(since)부터 이상이 있습니다."
        }
    }

    func consequence(_ kind: Label) -> String {
        switch kind {
        case .sourceSilent: "이 공급원의 그 뒤 비용은 합계에도 임계값 판단에도 들어 있지 않습니다."
        case .evaluationStalled: "그동안 임계값을 넘어도 알림이 나가지 않습니다."
        case .projectionLagging: "조회 결과와 보고서가 최신이 아닐 수 있습니다."
        case .costsUnexplained: "그날의 호출 추정, 사용량, 청구가 서로 다르며 수량만으로는 이유를 알 수 없습니다."
        case .usageNotKept: "설정에 따라 호출은 기록을 메모리에만 둔 채 통과하거나 거절됩니다. 프로그램이 중단되면 메모리의 기록은 사라집니다."
        case .usageLost: "이 호출들의 비용은 공급자가 사용량을 알려 줄 때까지 어떤 합계에도 들어 있지 않습니다."
        default: "원인을 확인하십시오."
        }
    }

    func conditionEnded(_ kind: Label, _ subject: String, since: String, until: String) -> String {
        "\(since)부터 이어진 ‘\(label(kind))’ 상태가 \(until)에 끝났습니다: \(subject)."
    }

    let lookAtStages = "단계 상태 보기"
    let lookInside = "점검하기"
    let seeWhatDiffers = "차이 살펴보기"

    // MARK: Tests

    let testSubject = "알림 경로 시험"

    func test(_ destination: String) -> String {
        "\(destination)\(KoreanParticle.means.after(destination)) 보낸 시험 알림입니다. 이 글이 보이면 알림이 여기까지 오는 길이 모두 이어져 있습니다."
    }

    let canary = "하루에 한 번 보내는 점검 알림입니다. 이 글이 오지 않는 날에는 알림 경로를 점검하십시오."

    func unreadable(position: String) -> String {
        "로그 위치 \(position)의 이벤트를 글로 옮기지 못했습니다. 프로그램이 오래된 것일 수 있습니다."
    }

    // MARK: The message as a whole

    func others(_ count: Int) -> String { "외 \(count)건" }
    func othersTitle(_ count: Int) -> String { "그 밖의 \(count)건" }

    func heldBack(_ count: Int) -> String {
        "그사이 같은 대상의 알림 \(count)건은 따로 보내지 않았습니다. 위에는 대상마다 가장 새로운 상태를 적었습니다."
    }

    func unlisted(_ count: Int) -> String {
        "그 가운데 \(count)건은 자리가 모자라 여기에 적지 못했습니다. 열려 있는 알림은 모두 finops alert list 명령으로 볼 수 있습니다."
    }

    let mayRepeat = "같은 알림이 되풀이된 것일 수 있습니다: 앞선 시도가 도착했는지 확인되지 않았습니다."
    func colophon(sent: String, notification: String) -> String { "\(sent) 작성 · 알림 번호 \(notification)" }
    let whyThisMail = "FinOps의 알림 채널에 등록된 주소로 보냈습니다. 받을 주소는 관리자가 finops channel 명령으로 바꿉니다."
}
