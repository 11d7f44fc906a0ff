import EventLog
import FinOps
import Notices
import Stages
import TestSupport
import Testing

@Suite struct NotifierTests {
    @Test func aCrossingReachesEveryChannel() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        try await bench.set("mail", ["mail-ko", "mail-en"])
        try await bench.run(bench.notifier()) {
            try await bench.cross("search")
            try await eventually { try await bench.count("notification.delivered") == 3 }
            return true
        }
        #expect(bench.otherSide.facts("slack") == ["crossed-3"])
        #expect(bench.otherSide.arrived.allSatisfy { !$0.mayRepeat && $0.facts.count == 1 })
        #expect(Set(bench.otherSide.arrived.map(\.destination)) == ["slack", "mail-ko", "mail-en"])
        #expect(Set(bench.otherSide.arrived.map(\.id)).count == 3)
    }

    @Test func whatHappenedBeforeTheChannelWasSetIsNotTold() async throws {
        let bench = NotifierBench()
        try await bench.cross("search")
        try await bench.set("slack", ["slack"])
        let second = try await bench.cross("chat")
        try await bench.run(bench.notifier()) { try await bench.count("notification.delivered") == 1 }
        #expect(bench.otherSide.facts("slack") == ["crossed-\(second)"])
    }

    @Test func whatWaitsAtTheStartIsOneMessage() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        for project in 0..<50 { try await bench.cross("p\(project)") }
        try await bench.run(bench.notifier()) { try await bench.count("notification.delivered") == 1 }
        #expect(bench.otherSide.arrived.map(\.facts.count) == [50])
    }

    @Test func aThousandCrossingsAtOnceAreAtMostTwentyMessagesThatCountThemAll() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        try await bench.set("mail", ["mail-ko", "mail-en"])
        let destinations = ["slack", "mail-ko", "mail-en"]
        // All there when it looks: told one by one, they would be as many messages as it has turns meanwhile.
        for project in 0..<1_000 {
            try await bench.cross("p\(project)", level: project.isMultiple(of: 2) ? 80 : 100)
        }
        try await bench.run(bench.notifier(settings: .init())) {
            while bench.told < 3_000 {
                bench.clock.advance(bySeconds: 1)
                // On a machine that is held up, the notifier too has to have its turns in each second of this clock.
                try await Task.sleep(for: .milliseconds(20))
            }
            return true
        }
        let arrived = bench.otherSide.arrived
        #expect(arrived.count <= 20, "\(arrived.count) messages")
        for destination in destinations {
            let messages = arrived.filter { $0.destination == destination }
            #expect(messages.reduce(0) { $0 + $1.facts.count + $1.unlisted } == 1_000)
            #expect(messages.allSatisfy { $0.facts.count <= Notice.mostFacts })
            // Where not all have a line, those that are most urgent have one.
            for message in messages where message.unlisted >= 500 {
                #expect(message.facts.allSatisfy { $0.level == 100 })
            }
        }
        // What has no line is in the log, and so is which message was about it.
        let told = try await bench.events("notification.started").reduce(into: [String: Set<String>]()) { told, event in
            guard case .notificationStarted(let started) = event else { return }
            told[started.destination, default: []].formUnion(started.items)
        }
        #expect(destinations.allSatisfy { told[$0]?.count == 1_000 })
    }

    @Test func aThousandCrossingsThatComeOneByOneAreFewMessagesToo() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        try await bench.set("mail", ["mail-ko", "mail-en"])
        try await bench.run(bench.notifier(settings: .init())) {
            try await bench.cross("p0", level: 100)
            // The first leaves at once.
            try await eventually { bench.told == 3 }
            // A hundred a second, each in a commit of its own.
            for project in 1..<1_000 {
                try await bench.cross("p\(project)", level: 100)
                guard project % 100 == 99 else { continue }
                // What has come by then is queued, however slow the machine is: this clock does not run ahead of it.
                try await eventually { try await bench.count("notification.queued") == 3 * (project + 1) }
                bench.clock.advance(bySeconds: 1)
            }
            while bench.told < 3_000 {
                bench.clock.advance(bySeconds: 1)
                try await Task.sleep(for: .milliseconds(20))
            }
            return true
        }
        let arrived = bench.otherSide.arrived
        #expect(arrived.count <= 20, "\(arrived.count) messages")
        for destination in ["slack", "mail-ko", "mail-en"] {
            let messages = arrived.filter { $0.destination == destination }
            #expect(messages.reduce(0) { $0 + $1.facts.count + $1.unlisted } == 1_000)
        }
    }

    @Test func aFailedMessageIsRepeatedUntilItIsTaken() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        let failure = DeliveryFailure(code: "unavailable", message: "no", isRetriable: true)
        bench.otherSide.answer(.failed(failure), .failed(failure))
        let first = try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            try await eventually { try await bench.count("notification.failed") == 1 }
            let second = try await bench.cross("chat")
            while try await bench.count("notification.delivered") < 2 {
                bench.clock.advance(bySeconds: 1)
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(bench.otherSide.facts("slack") == ["crossed-\(first)", "crossed-\(second)"])
            return true
        }
    }

    @Test func aMessageIsTriedAgainByTheDelivererThatKnowsWhoHasIt() async throws {
        let bench = NotifierBench()
        try await bench.set("mail", ["mail-ko"])
        let partly = DeliveryFailure(
            code: "unavailable", message: "the others have it", isUncertain: true, isRetriable: true)
        let refused = DeliveryFailure(code: "not-authorised", message: "no", isRetriable: false)
        bench.otherSide.answer(.failed(partly), .failed(partly), .failed(refused))
        try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            while try await bench.count("notification.abandoned") < 1 {
                bench.clock.advance(bySeconds: 1)
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(bench.otherSide.opened == [1])
            // Somebody may have put another credential there meanwhile.
            try await bench.cross("chat")
            while try await bench.count("notification.delivered") < 1 {
                bench.clock.advance(bySeconds: 1)
                try await Task.sleep(for: .milliseconds(2))
            }
            return true
        }
        #expect(bench.otherSide.opened == [1, 1])
    }

    @Test func anUncertainMessageIsRepeatedAndSaysSo() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        bench.otherSide.answer(
            .failed(DeliveryFailure(code: "timed-out", message: "no", isUncertain: true, isRetriable: true)))
        try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            bench.clock.advance(bySeconds: 1)
            return try await bench.count("notification.delivered") == 1
        }
        #expect(bench.otherSide.arrived.map(\.mayRepeat) == [false, true])
        #expect(Set(bench.otherSide.arrived.map(\.id)).count == 1)
    }

    @Test func whatIsGivenUpIsADeadLetterAndARetryDeliversIt() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        bench.otherSide.answer(.failed(DeliveryFailure(code: "refused", message: "no_service", isRetriable: false)))
        let position = try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            try await eventually { try await bench.count("notification.abandoned") == 1 }
            guard case .notificationAbandoned(let letter) = try await bench.events("notification.abandoned").first
            else {
                return false
            }
            #expect(letter.reason.contains("no_service"))
            var retried = WireNotificationRetried()
            retried.notification = letter.notification
            try await bench.append(.notificationRetried(retried), to: .outbox("slack"))
            try await eventually { try await bench.count("notification.delivered") == 1 }
            return true
        }
        #expect(bench.otherSide.facts("slack") == ["crossed-\(position)"])
    }

    @Test func aChannelThatCannotBeOpenedFailsUntilItIsSetAnew() async throws {
        let bench = NotifierBench()
        bench.otherSide.refuse(DeliveryFailure(code: "misconfigured", message: "no secret", isRetriable: true))
        try await bench.set("slack", ["slack"])
        try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            try await eventually { try await bench.count("notification.failed") == 1 }
            bench.otherSide.refuse(nil)
            try await bench.set("slack", ["slack"], version: 2)
            try await eventually { try await bench.count("notification.delivered") == 1 }
            return true
        }
        #expect(bench.otherSide.opened == [1, 2])
    }

    @Test func aRemovedChannelTakesWhatWaitsWithIt() async throws {
        let bench = NotifierBench()
        bench.otherSide.refuse(DeliveryFailure(code: "misconfigured", message: "no secret", isRetriable: true))
        try await bench.set("slack", ["slack"])
        try await bench.cross("search")
        try await bench.run(bench.notifier()) {
            try await eventually { try await bench.count("notification.failed") == 1 }
            var removed = WireChannelRemoved()
            removed.channel = "slack"
            try await bench.append(.channelRemoved(removed), to: .channel("slack"))
            try await eventually { try await bench.count("notification.dropped") == 1 }
            return true
        }
    }

    @Test func aTestIsDeliveredByWhoeverRuns() async throws {
        let bench = NotifierBench()
        try await bench.set("mail", ["mail-ko", "mail-en"])
        let channel = try #require(try await ChannelTest.channel("mail", in: bench.store))
        try await bench.run(bench.notifier()) {
            let test = try await ChannelTest.queue(channel, in: bench.store, reader: bench.store, now: bench.clock.now)
            let verdicts = try await test.verdicts(in: bench.store, within: .seconds(20))
            #expect(verdicts.map(\.destination) == ["mail-en", "mail-ko"] && verdicts.allSatisfy(\.isAccepted))
            return true
        }
        #expect(bench.otherSide.arrived.map { $0.facts.map(\.kind) } == [[.test], [.test]])
    }

    @Test func aTestWithoutANotifierIsDeliveredAllTheSame() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        bench.otherSide.answer(
            .failed(DeliveryFailure(code: "not-authorised", message: "invalid_token", isRetriable: false)))
        let channel = try #require(try await ChannelTest.channel("slack", in: bench.store))
        for isAccepted in [false, true] {
            let test = try await ChannelTest.queue(channel, in: bench.store, reader: bench.store, now: bench.clock.now)
            let verdicts = try await test.verdicts(
                in: bench.store, within: .seconds(20), deliveredBy: bench.notifier())
            #expect(verdicts.map(\.isAccepted) == [isAccepted])
            #expect(verdicts.first?.code == (isAccepted ? "" : "not-authorised"))
        }
        #expect(try await ChannelTest.channel("mail", in: bench.store) == nil)
    }

    @Test func whatStandsStillIsTold() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        let notifier = bench.notifier(stages: ["projector": SilenceWatch.Condition.projectionLagging])
        try await bench.run(notifier) {
            bench.clock.advance(bySeconds: 30)
            return try await bench.count("notification.delivered") == 1
        }
        #expect(bench.otherSide.arrived.map { $0.facts.map(\.kind) } == [[.conditionRaised]])
    }

    @Test func aSecondNotifierEndsTheFirst() async throws {
        let bench = NotifierBench()
        try await bench.set("slack", ["slack"])
        let error = await #expect(throws: StoreError.self) {
            try await bench.run(bench.notifier()) {
                try await eventually { try await bench.store.session(of: "notifier") != nil }
                _ = try await bench.store.openSession("notifier")
                _ = try await bench.store.openSession("notifier-clock")
                try await bench.cross("search")
                try await Task.sleep(for: .seconds(20))
                return true
            }
        }
        guard case .refused(.fenced)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(bench.otherSide.arrived.isEmpty)
    }
}

extension Notice.Fact {
    fileprivate var level: UInt32? { if case .thresholdCrossed(let event) = event { event.level } else { nil } }
}

extension NotifierBench {
    /// How many facts arrived, listed or counted.
    fileprivate var told: Int { otherSide.arrived.reduce(0) { $0 + $1.facts.count + $1.unlisted } }
}
