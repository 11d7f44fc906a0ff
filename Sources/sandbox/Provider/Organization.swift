/// A price of the sandbox's own list, in pico-dollars (10⁻¹² USD) a token: 150,000 is 0.15 USD a million.
struct Price: Equatable, Sendable {
    let input: Int64
    let cachedInput: Int64
    let output: Int64
}

/// What the imaginary organisation sells its customers' calls as, and what it bills for them.
struct Model: Equatable, Sendable {
    let name: String
    let price: Price
    /// Whether FinOps' price list knows it: what it doesn't know is billed here, and "unpriced" there.
    var isListed = true
    /// Whether long prompts are partly read from the cache.
    var caches = false
}

/// An API key of the organisation, in its project.
struct APIKey: Equatable, Sendable {
    let id: String
    let name: String
    let project: String
}

/// One of the twenty places a call of the trace can fall into.
struct Slot: Equatable, Sendable {
    let key: APIKey
    let model: Model
    var batch = false
    var tier = "default"
}

/// The imaginary organisation whose calls the trace is: five projects, eight keys, six models.
enum Organization {
    static let projects = ["proj_storefront", "proj_catalogue", "proj_support", "proj_analytics", "proj_lab"]

    static let storefrontWeb = APIKey(id: "key_storefront_web", name: "storefront-web", project: "proj_storefront")
    static let storefrontApp = APIKey(id: "key_storefront_app", name: "storefront-app", project: "proj_storefront")
    static let catalogueIndex = APIKey(id: "key_catalogue_index", name: "catalogue-index", project: "proj_catalogue")
    static let supportChat = APIKey(id: "key_support_chat", name: "support-chat", project: "proj_support")
    static let supportDigest = APIKey(id: "key_support_digest", name: "support-digest", project: "proj_support")
    static let reports = APIKey(id: "key_analytics_reports", name: "analytics-reports", project: "proj_analytics")
    static let nightly = APIKey(id: "key_analytics_nightly", name: "analytics-nightly", project: "proj_analytics")
    static let experiments = APIKey(id: "key_lab_experiments", name: "lab-experiments", project: "proj_lab")
    static let keys = [
        storefrontWeb, storefrontApp, catalogueIndex, supportChat, supportDigest, reports, nightly, experiments,
    ]

    static let mini4o = Model(
        name: "gpt-4o-mini-2024-07-18", price: Price(input: 150_000, cachedInput: 75_000, output: 600_000))
    static let mini4oBatch = Model(
        name: "gpt-4o-mini-2024-07-18", price: Price(input: 75_000, cachedInput: 75_000, output: 300_000))
    static let gpt41 = Model(
        name: "gpt-4.1-2025-04-14", price: Price(input: 2_000_000, cachedInput: 500_000, output: 8_000_000))
    static let gpt5 = Model(
        name: "gpt-5-2025-08-07", price: Price(input: 1_250_000, cachedInput: 125_000, output: 10_000_000), caches: true
    )
    static let mini5 = Model(
        name: "gpt-5-mini-2025-08-07", price: Price(input: 250_000, cachedInput: 25_000, output: 2_000_000),
        caches: true)
    static let mini5Flex = Model(
        name: "gpt-5-mini-2025-08-07", price: Price(input: 125_000, cachedInput: 12_500, output: 1_000_000),
        caches: true)
    static let embedding = Model(
        name: "text-embedding-3-small", price: Price(input: 20_000, cachedInput: 20_000, output: 0))
    /// Only called, and in no slot of the trace.
    static let gpt4o = Model(
        name: "gpt-4o-2024-08-06", price: Price(input: 2_500_000, cachedInput: 1_250_000, output: 10_000_000),
        caches: true)
    static let preview = Model(
        name: "orion-preview", price: Price(input: 3_000_000, cachedInput: 3_000_000, output: 12_000_000),
        isListed: false)

    /// What a call of a model is billed as; not listed where there is no price for it.
    static func model(_ name: String, tier: String) -> Model {
        let listed =
            tier == "flex" ? [mini5Flex] : tier == "default" ? [mini4o, gpt4o, gpt41, gpt5, mini5, embedding] : []
        return listed.first { $0.name == name }
            ?? Model(name: name, price: Price(input: 0, cachedInput: 0, output: 0), isListed: false)
    }

    /// Whose calls they are that come with a key which was not made here.
    static let anyKey = APIKey(id: "key_sandbox", name: "sandbox", project: "proj_sandbox")

    /// Call i of the trace falls into slot i modulo 20.
    static let slots =
        Array(repeating: Slot(key: storefrontWeb, model: mini4o), count: 4)
        + Array(repeating: Slot(key: storefrontApp, model: mini4o), count: 2)
        + [Slot(key: storefrontApp, model: gpt41)]
        + Array(repeating: Slot(key: catalogueIndex, model: embedding), count: 3)
        + Array(repeating: Slot(key: supportChat, model: gpt5), count: 4)
        + Array(repeating: Slot(key: supportDigest, model: mini4oBatch, batch: true), count: 2)
        + [Slot(key: reports, model: gpt41)]
        + Array(repeating: Slot(key: nightly, model: mini5Flex, tier: "flex"), count: 2)
        + [Slot(key: experiments, model: mini5)]

    /// Every 500th call tries a model that no price list knows; its slot is the laboratory's.
    static let previewEvery = 500

    static func slot(ofCall index: Int) -> Slot {
        index % previewEvery == previewEvery - 1
            ? Slot(key: experiments, model: preview) : slots[index % slots.count]
    }
}
