import EventLog
import FinOps
import SwiftProtobuf
import TestSupport
import Testing

/// A proposal and the second person.
@Suite struct PriceProposalsTests {
    private static let now = Timestamp(seconds: 1_795_143_600)
    private static let before = """
        {"provider":"openai","model":"a","prices":[{"from":null,"input":"1"}]}
        """

    private func proposed(_ id: String = "price-1", input: String = "10") throws -> WirePriceChangeProposed {
        let catalogue = try PriceSettingTests.catalogue(Self.before)
        let setting = try PriceSetting(
            provider: "openai", model: "a", prices: ["input": input], from: nil, through: nil)
        let change = try #require(setting.change(in: catalogue, today: day("2026-11-22"), reason: "typo"))
        return WirePriceChangeProposed(
            id: id, PricePlan([.priceChanged(change)], of: catalogue), of: catalogue, correction: nil, reason: "typo")
    }

    private func command(_ change: PriceProposals.Command.Change, by actor: String) -> PriceProposals.Command {
        .init(change, by: actor, at: Self.now)
    }

    private func approve(
        by actor: String, _ catalogue: PriceCatalogue? = nil, reason: String = "seen"
    ) throws -> PriceProposals.Command {
        command(
            .approve(
                "price-1", administrators: ["ann", "bob"],
                catalogue: try catalogue ?? PriceSettingTests.catalogue(Self.before),
                reason: reason), by: actor)
    }

    private func asked() throws -> ActedEvent {
        ActedEvent(.priceChangeProposed(try proposed()), by: "ann", at: Self.now)
    }

    @Test func theSamePersonAsksOnceForTheSame() throws {
        let first = try proposed()
        given(PriceProposals.self).when(command(.propose(first), by: "ann")).then(try asked())
        given(PriceProposals.self, try asked()).when(command(.propose(try proposed("price-2")), by: "ann"))
            .thenNothing()
        let other = try proposed("price-2", input: "11")
        #expect(given(PriceProposals.self, try asked()).when(command(.propose(other), by: "ann")).events().count == 1)
        #expect(
            given(PriceProposals.self, try asked()).when(command(.propose(try proposed("price-2")), by: "bob")).events()
                .count == 1)
    }

    @Test func onlyAnotherAdministratorApproves() throws {
        let proposal = given(PriceProposals.self, try asked())
        proposal.when(try approve(by: "ann")).thenRejects(.own("price-1"))
        proposal.when(try approve(by: "eve")).thenRejects(.notAdministrator)
        proposal.when(try approve(by: "bob", reason: "")).thenRejects(.reasonMissing)
        #expect(proposal.when(try approve(by: "bob")).events().map(\.event.type) == ["price.change-approved"])
        #expect(try proposed().approvedChanges.count == 1)
    }

    @Test func anApprovalOfPricesThatHaveChangedSinceIsRefused() throws {
        let changed = try PriceSettingTests.catalogue(Self.before.replacing(#""1""#, with: #""1.5""#))
        given(PriceProposals.self, try asked()).when(try approve(by: "bob", changed))
            .thenRejects(.outdated("price-1", "openai/a"))
    }

    @Test func whatIsSettledStaysSo() throws {
        let approved = ActedEvent(.priceChangeApproved(.with { $0.id = "price-1" }), by: "bob", at: Self.now)
        let rejected = ActedEvent(.priceChangeRejected(.with { $0.id = "price-1" }), by: "ann", at: Self.now)
        let reject = command(.reject("price-1", reason: "typo"), by: "ann")
        given(PriceProposals.self, try asked(), approved).when(try approve(by: "bob")).thenNothing()
        given(PriceProposals.self, try asked(), approved).when(reject).thenRejects(.approved("price-1"))
        given(PriceProposals.self, try asked(), rejected).when(try approve(by: "bob")).thenRejects(.rejected("price-1"))
        given(PriceProposals.self, try asked(), rejected).when(reject).thenNothing()
        #expect(
            given(PriceProposals.self, try asked()).when(reject).events().map(\.event.type) == ["price.change-rejected"]
        )
        given(PriceProposals.self).when(reject).thenRejects(.unknown("price-1"))
    }
}
