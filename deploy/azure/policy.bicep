// A policy that switches the logs on for every Cosmos DB account of a subscription, and for those
// that come later (deployIfNotExists). It logs requests of the NoSQL API; see requestCategory for others.
//   az deployment sub create --location westeurope --template-file policy.bicep \
//     --parameters storageAccountId=/subscriptions/.../storageAccounts/LOGS
// Then bring accounts that exist already into line:
//   az policy remediation create --name cosmoguard --policy-assignment cosmoguard-logs
targetScope = 'subscription'

@description('Storage account for the logs. A regional account needs one in its own region: assign once a region.')
param storageAccountId string

@description('Region of the accounts that this assignment is for.')
param location string = deployment().location

@description('Category with the requests: DataPlaneRequests, MongoRequests, CassandraRequests, GremlinRequests, TableApiRequests.')
param requestCategory string = 'DataPlaneRequests'

var contributors = [
  // Monitoring Contributor
  '/providers/Microsoft.Authorization/roleDefinitions/749f88d5-cbae-40b8-bcfc-e573ddc772fa'
  // Log Analytics Contributor
  '/providers/Microsoft.Authorization/roleDefinitions/92aaf0da-9dab-42b6-94a3-d43ce8d16293'
]

resource definition 'Microsoft.Authorization/policyDefinitions@2023-04-01' = {
  name: 'cosmoguard-logs'
  properties: {
    displayName: 'Cosmos DB accounts send their logs to cosmoguard'
    policyType: 'Custom'
    mode: 'Indexed'
    parameters: {
      storageAccountId: { type: 'String' }
      requestCategory: { type: 'String' }
      location: { type: 'String' }
    }
    policyRule: {
      if: {
        allOf: [
          { field: 'type', equals: 'Microsoft.DocumentDB/databaseAccounts' }
          { field: 'location', equals: '[parameters(\'location\')]' }
        ]
      }
      then: {
        effect: 'deployIfNotExists'
        details: {
          type: 'Microsoft.Insights/diagnosticSettings'
          name: 'cosmoguard'
          roleDefinitionIds: contributors
          existenceCondition: {
            allOf: [
              {
                field: 'Microsoft.Insights/diagnosticSettings/storageAccountId'
                equals: '[parameters(\'storageAccountId\')]'
              }
              {
                count: {
                  field: 'Microsoft.Insights/diagnosticSettings/logs[*]'
                  where: {
                    allOf: [
                      {
                        field: 'Microsoft.Insights/diagnosticSettings/logs[*].category'
                        equals: '[parameters(\'requestCategory\')]'
                      }
                      { field: 'Microsoft.Insights/diagnosticSettings/logs[*].enabled', equals: 'true' }
                    ]
                  }
                }
                greaterOrEquals: 1
              }
            ]
          }
          deployment: {
            properties: {
              mode: 'incremental'
              parameters: {
                account: { value: '[field(\'name\')]' }
                storageAccountId: { value: '[parameters(\'storageAccountId\')]' }
                requestCategory: { value: '[parameters(\'requestCategory\')]' }
              }
              template: loadJsonContent('policy-template.json')
            }
          }
        }
      }
    }
  }
}

resource assignment 'Microsoft.Authorization/policyAssignments@2024-04-01' = {
  name: 'cosmoguard-logs'
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    displayName: 'Cosmos DB accounts send their logs to cosmoguard'
    policyDefinitionId: definition.id
    parameters: {
      storageAccountId: { value: storageAccountId }
      requestCategory: { value: requestCategory }
      location: { value: location }
    }
  }
}

// What the assignment's identity needs to write settings.
resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in contributors: {
  name: guid(subscription().id, 'cosmoguard-logs', role)
  properties: {
    roleDefinitionId: role
    principalId: assignment.identity.principalId
    principalType: 'ServicePrincipal'
  }
}]
