import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

@Suite struct ChannelRegisterTests {
    private func slack(version: UInt32 = 1, reason: String = "") -> WireChannelSet {
        .with {
            $0.channel = "slack"
            $0.transport = "slack"
            $0.address = "https://hooks.slack.com"
            $0.secretID = "channel-slack"
            $0.secretVersion = version
            $0.destinations = ["slack"]
            $0.reason = reason
        }
    }

    private func set(_ event: WireChannelSet, secretChanged: Bool = false) -> ChannelRegister.Command {
        .set(event, secretChanged: secretChanged)
    }

    private let removed = FinOpsEvent.channelRemoved(.with { $0.channel = "slack" })

    private func schedule(
        zone: String = "Asia/Seoul", _ fill: (inout WireChannelScheduleSet) -> Void
    ) -> FinOpsEvent {
        .channelScheduleSet(
            .with {
                $0.channel = "slack"
                $0.zone = zone
                fill(&$0)
            })
    }

    private func change(_ fill: (inout ChannelRegister.ScheduleChange) -> Void) -> ChannelRegister.Command {
        var change = ChannelRegister.ScheduleChange(businessZone: "Asia/Seoul")
        fill(&change)
        return .schedule(channel: "slack", change, reason: "")
    }

    private var night: QuietHours {
        get throws { try #require(QuietHours(from: 22 * 60, to: 8 * 60)) }
    }

    @Test func theSameAgainChangesNothingWhateverTheReason() {
        given(ChannelRegister.self).when(set(slack())).then(.channelSet(slack()))
        given(ChannelRegister.self, .channelSet(slack(reason: "first"))).when(set(slack(reason: "again"))).thenNothing()
        given(ChannelRegister.self, .channelSet(slack())).when(set(slack(version: 2)))
            .then(.channelSet(slack(version: 2)))
    }

    /// A secret that was removed and kept again has version 1 again.
    @Test func anotherSecretOfTheSameVersionIsAChange() {
        given(ChannelRegister.self, .channelSet(slack())).when(set(slack(), secretChanged: true))
            .then(.channelSet(slack()))
    }

    @Test func onlyWhatIsSetIsRemoved() {
        let remove = ChannelRegister.Command.remove(channel: "slack", reason: "")
        given(ChannelRegister.self, .channelSet(slack())).when(remove).then(removed)
        given(ChannelRegister.self).when(remove).thenRejects(.notSet("slack"))
        given(ChannelRegister.self, .channelSet(slack()), removed).when(remove).thenRejects(.notSet("slack"))
    }

    @Test func whatIsNotSaidOfAScheduleStaysAsItIs() throws {
        let night = try night
        let quiet = schedule {
            $0.quietFrom = night.from
            $0.quietTo = night.to
        }
        given(ChannelRegister.self, .channelSet(slack())).when(change { $0.quiet = .set(night) }).then(quiet)
        given(ChannelRegister.self, .channelSet(slack()), quiet).when(change { $0.digest = .set(540) })
            .then(
                schedule {
                    $0.quietFrom = night.from
                    $0.quietTo = night.to
                    $0.digestAt = 540
                })
        given(ChannelRegister.self, .channelSet(slack()), quiet).when(change { $0.quiet = .set(night) }).thenNothing()
        given(ChannelRegister.self, .channelSet(slack()), quiet).when(change { $0.quiet = .drop }).then(
            schedule { _ in })
        given(ChannelRegister.self, .channelSet(slack()), quiet).when(change { $0.zone = "Europe/Berlin" })
            .then(
                schedule(zone: "Europe/Berlin") {
                    $0.quietFrom = night.from
                    $0.quietTo = night.to
                })
    }

    @Test func aScheduleThatAsksForNothingSpecialIsTheOneThatHoldsAnyway() {
        given(ChannelRegister.self, .channelSet(slack()))
            .when(
                change {
                    $0.quiet = .drop
                    $0.digest = .drop
                    $0.canary = false
                    $0.zone = "Asia/Seoul"
                }
            ).thenNothing()
        given(ChannelRegister.self, .channelSet(slack())).when(change { $0.canary = true })
            .then(schedule { $0.canary = true })
    }

    @Test func aChannelThatIsNotSetHasNoScheduleAndARemovedOneForgetsIts() {
        given(ChannelRegister.self).when(change { $0.canary = true }).thenRejects(.notSet("slack"))
        let history = [
            .channelSet(slack()), schedule { $0.canary = true }, removed, .channelSet(slack()),
        ]
        given(ChannelRegister.self, history).when(change { $0.canary = false }).thenNothing()
    }

    @Test func aZoneThatTheSystemDoesNotKnowIsRefused() {
        given(ChannelRegister.self, .channelSet(slack())).when(change { $0.zone = "Mars/Olympus" })
            .thenRejects(.unknownZone("Mars/Olympus"))
    }

    @Test func quietHoursBeginAndEndAtDifferentTimesOfADay() {
        #expect(QuietHours(from: 60, to: 60) == nil)
        #expect(QuietHours(from: 0, to: 1_440) == nil)
        #expect(QuietHours(from: 1_439, to: 0) != nil)
    }
}
